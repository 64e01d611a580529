import { text } from 'node:stream/consumers';
import { openPromise } from 'yauzl';
import { brokenZip } from '../extract-zip.js';
import type { ZipFile } from 'yauzl';

/** Names of all entries of a zip, and the text of those that are wanted. */
export interface ZipTexts {
  readonly names: readonly string[];
  readonly texts: ReadonlyMap<string, string>;
}

/** @throws AdaptiveTrainerError LIBTORCH_BROKEN for a file that is no sound zip */
export async function readZip(file: string, wanted: (name: string) => boolean): Promise<ZipTexts> {
  const names: string[] = [];
  const texts = new Map<string, string>();
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(file, { autoClose: false });
    for await (const entry of zip.eachEntry()) {
      names.push(entry.fileName);
      if (wanted(entry.fileName))
        texts.set(entry.fileName, await text(await zip.openReadStreamPromise(entry)));
    }
    return { names, texts };
  } catch (cause) {
    throw brokenZip(file, cause);
  } finally {
    zip?.close();
  }
}
