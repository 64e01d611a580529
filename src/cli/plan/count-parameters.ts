import { readModelConfig } from '../../model/architecture/read-model-config.js';
import { adapterModules } from '../../model/adapter/adapter-modules.js';
import { createModel } from '../../model/create-model.js';
import type { PeftConfig } from '../../config/schema/parsed-config.js';
import type { DecoderConfig, NamedWeight } from '../../engine/addon.js';
import { engineCall } from '../../engine/engine-call.js';

/** How large a model is, and what of it is trained. */
export interface ParameterCounts {
  all: number;
  trainable: number;
  /** Weights of the layers' projections, which every token goes through. */
  projections: number;
}

/** The weights that config.json describes; none is read. Their memory is lent by the system and never taken. */
export async function shapesOf(decoder: DecoderConfig): Promise<readonly NamedWeight[]> {
  const native = await createModel(decoder);
  try {
    return await engineCall(() => native.parameters());
  } finally {
    native.dispose();
  }
}

/** Counts what is trained: all weights, or those of an adapter. */
export async function countParameters(
  dir: string,
  shapes: readonly NamedWeight[],
  peft: PeftConfig | null,
): Promise<ParameterCounts> {
  const base = sum(shapes.map(sizeOf));
  const projections = sum(shapes.filter(isProjection).map(sizeOf));
  if (peft === null) return { all: base, trainable: base, projections };
  const { config } = await readModelConfig(dir, { ignoreDropout: true });
  const { targets, modulesToSave } = adapterModules(peft, shapes, config['model_type']);
  const byName = new Map(shapes.map((weight) => [weight.name, weight]));
  const added = targets.map(({ module }) => {
    const [rows = 0, columns = 0] = byName.get(`${module}.weight`)!.shape;
    return peft.r * (rows + columns) + (peft.useDora ? rows : 0);
  });
  const saved = shapes.filter(({ name }) => modulesToSave.some((module) => name.startsWith(`${module}.`)));
  const trainable = sum(added) + sum(saved.map(sizeOf));
  return { all: base + trainable, trainable, projections };
}

function isProjection({ name, shape }: NamedWeight): boolean {
  return shape.length === 2 && !/(^|\.)(embed_tokens|wte|wpe|lm_head)\.weight$/.test(name);
}

function sizeOf({ shape }: NamedWeight): number {
  return shape.reduce((product, size) => product * size, 1);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, next) => total + next, 0);
