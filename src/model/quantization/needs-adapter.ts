/** What is known of a model before it is opened, and of how it is to be trained. */
export interface PlannedTraining {
  /** `loadIn4bit` or `loadIn8bit`. */
  loadsInFewerBits: boolean;
  hasAdapterConfig: boolean;
  /** Whether the model's folder is an adapter's. */
  isAdapter: boolean;
  /** Whether the base was saved in 4 or 8 bits. */
  isQuantized: boolean;
}

/** Says what is wrong where weights in 4 or 8 bits, which are frozen, would be all that there is to train. */
export function faultOfFrozenBase(plan: PlannedTraining): string | undefined {
  const { loadsInFewerBits, hasAdapterConfig, isAdapter, isQuantized } = plan;
  if (hasAdapterConfig || isAdapter || !(loadsInFewerBits || isQuantized)) return undefined;
  const what = loadsInFewerBits
    ? 'a base in 4 or 8 bits is frozen'
    : 'the model is stored in 4 or 8 bits, which are frozen';
  return `expected a peftConfig, or the folder of an adapter as modelName, since ${what}: an adapter is what can be trained`;
}
