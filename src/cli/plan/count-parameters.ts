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
  const { config, decoder, isPart } = await readModelConfig(dir, { ignoreDropout: true });
  const { tiedHead, names } = decoder;
  const model = {
    parameters: shapes,
    modelType: config['model_type'],
    tiedHead,
    transposed: names === 'gpt2',
    isPart,
  };
  const { targets, modulesToSave, biases, tokenRows } = adapterModules(peft, model);
  const byName = new Map(shapes.map((weight) => [weight.name, weight]));
  // A head that is tied has the shape of the embedding.
  const shapeOf = (module: string) => (byName.get(`${module}.weight`) ?? shapes[0]!).shape;
  const added = targets.map(({ module, rank, magnitude }) => {
    const [rows = 0, columns = 0] = shapeOf(module);
    return rank * (rows + columns) + (magnitude ? rows : 0);
  });
  const rowsAlone = tokenRows.map(({ module, ids }) => ids.length * shapeOf(module)[1]!);
  const whole = shapes.filter(
    ({ name }) => biases.includes(name) || modulesToSave.some((module) => name.startsWith(`${module}.`)),
  );
  const trainable = sum(added) + sum(rowsAlone) + sum(whole.map(sizeOf));
  return { all: base + trainable, trainable, projections };
}

function isProjection({ name, shape }: NamedWeight): boolean {
  return shape.length === 2 && !/(^|\.)(embed_tokens|wte|wpe|lm_head)\.weight$/.test(name);
}

function sizeOf({ shape }: NamedWeight): number {
  return shape.reduce((product, size) => product * size, 1);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, next) => total + next, 0);
