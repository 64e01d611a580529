/**
 * The files of `<configuration>/<split>/0000.parquet` by configuration and folder: the layout of the Parquet files that the
 * Hub makes of every dataset (`refs/convert/parquet`).
 */
export function convertedSplits(paths: readonly string[]): Map<string, Map<string, string[]>> {
  const byConfig = new Map<string, Map<string, string[]>>();
  for (const path of [...paths].sort()) {
    const [config, folder, ...rest] = path.split('/');
    if (rest.length !== 1 || !/^\d{4,}\.parquet$/.test(rest[0]!)) continue;
    const splits = byConfig.get(config!) ?? new Map<string, string[]>();
    byConfig.set(config!, splits.set(folder!, [...(splits.get(folder!) ?? []), path]));
  }
  return byConfig;
}

/**
 * The splits of one configuration: the one that is asked for, the only one, or `default`. Of a very large dataset the Hub
 * converts the beginning only, and names the folder `partial-train`.
 *
 * @param onPartial told the splits of which the beginning alone is there
 */
export function convertedConfig(
  byConfig: ReadonlyMap<string, ReadonlyMap<string, string[]>>,
  configName: string | null,
  onPartial: (split: string) => void,
): Map<string, string[]> | undefined {
  const only = byConfig.size === 1 ? [...byConfig.keys()][0] : 'default';
  const chosen = byConfig.get(configName ?? only!);
  return (
    chosen &&
    new Map(
      [...chosen].map(([folder, files]) => {
        const split = folder.replace(/^partial-/, '');
        if (split !== folder) onPartial(split);
        return [split, files];
      }),
    )
  );
}
