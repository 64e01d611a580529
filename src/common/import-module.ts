import { pathToFileURL } from 'node:url';

/** The name of a file that holds JavaScript or TypeScript. */
export const moduleFile = /\.[cm]?[jt]s$/i;

/**
 * Imports a module by its absolute path, TypeScript too: with Node's own type stripping, and with `jiti` where this Node has
 * none (before 22.18).
 */
export async function importModule(path: string): Promise<Record<string, unknown>> {
  // Of TypeScript Node knows since 22.10; the types of Node 20 do not.
  const { typescript } = process.features as { typescript?: string | false };
  const isPlain = !/\.[cm]?ts$/i.test(path);
  if (isPlain || typescript) return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  const { createJiti } = await import('jiti');
  const jiti = createJiti(import.meta.url, { fsCache: false, interopDefault: false });
  return jiti.import<Record<string, unknown>>(path);
}
