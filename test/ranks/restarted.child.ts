// Trains as one of torchrun's ranks; the second is killed the first time, after its fourth step.
import { trainAdaptively } from '../../src/train-adaptively.js';

const [modelName, outputDir, file] = process.argv.slice(2) as [string, string, string];
const isFirstTime = process.env['TORCHELASTIC_RESTART_COUNT'] === '0';
const path = await trainAdaptively(
  {
    modelName,
    outputDir,
    datasetsConfig: { ideas: [file] },
    trainingConfig: {
      ...{
        maxSteps: 8,
        batchSize: 2,
        saveStrategy: 'steps',
        saveSteps: 2,
        evalStrategy: 'no',
        ddpTimeout: 60,
      },
      ...{ fp16: false, overwriteOutputDir: true, retention: false, threads: 1 },
    },
  },
  {
    progress: false,
    callbacks: [
      {
        onStepEnd({ step }, { ranks }) {
          if (isFirstTime && step === 5 && ranks.rank === 1) process.kill(process.pid, 'SIGKILL');
        },
      },
    ],
  },
);
if (process.env['RANK'] === '0') console.log(`trained ${path}`);
