import type { DatasetLayout } from './dataset-layouts.js';
import type { HubTest } from './hub-test.js';

/** Puts a dataset on the stand-in Hub; the one row of each file says which file it is in. */
export function publishDataset(test: HubTest, name: string, { paths, readme }: DatasetLayout): void {
  const files: Record<string, string> = readme === undefined ? {} : { 'README.md': readme };
  for (const path of paths) {
    files[path] = path.endsWith('.csv') ? `file\n${path}\n` : `${JSON.stringify({ file: path })}\n`;
  }
  test.hub.store.put(test.hub.store.create('dataset', name), files);
}
