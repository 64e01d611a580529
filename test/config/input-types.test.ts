import { expectTypeOf, it } from 'vitest';
import type { z } from 'zod';
import type { adaptiveLossConfigSchema } from '../../src/config/schema/adaptive-loss-config.js';
import type {
  AdaptiveLossConfigInput,
  LrSchedulerKwargs,
  OptimArgs,
  PeftConfigInput,
  RetentionInput,
  TrainingConfigInput,
  UploadConfigInput,
} from '../../src/config/schema/config-input.js';
import type { lrSchedulerKwargsSchema } from '../../src/config/schema/lr-scheduler-kwargs.js';
import type { optimArgsSchema } from '../../src/config/schema/optim-args.js';
import type { AdaptiveLossConfig, PeftConfig, UploadConfig } from '../../src/config/schema/parsed-config.js';
import type { peftConfigSchema } from '../../src/config/schema/peft-config.js';
import type { retentionSchema } from '../../src/config/schema/retention.js';
import type { trainingConfigSchema } from '../../src/config/schema/training-config.js';
import type { uploadConfigSchema } from '../../src/config/schema/upload-config.js';

// tsc checks these, with the rest of the tests.
it('the types of a configuration are what the schemas accept and return', () => {
  expectTypeOf<TrainingConfigInput>().toEqualTypeOf<z.input<typeof trainingConfigSchema>>();
  expectTypeOf<LrSchedulerKwargs>().toEqualTypeOf<z.input<typeof lrSchedulerKwargsSchema>>();
  expectTypeOf<OptimArgs>().toEqualTypeOf<z.input<typeof optimArgsSchema>>();
  expectTypeOf<AdaptiveLossConfigInput>().toEqualTypeOf<z.input<typeof adaptiveLossConfigSchema>>();
  expectTypeOf<RetentionInput>().toEqualTypeOf<z.input<typeof retentionSchema>>();
  expectTypeOf<PeftConfigInput>().toEqualTypeOf<z.input<typeof peftConfigSchema>>();
  expectTypeOf<UploadConfigInput>().toEqualTypeOf<z.input<typeof uploadConfigSchema>>();
  expectTypeOf<AdaptiveLossConfig>().toEqualTypeOf<z.output<typeof adaptiveLossConfigSchema>>();
  expectTypeOf<UploadConfig>().toEqualTypeOf<z.output<typeof uploadConfigSchema>>();
  expectTypeOf<PeftConfig>().toEqualTypeOf<Omit<z.output<typeof peftConfigSchema>, 'alpha' | 'dropout'>>();
});
