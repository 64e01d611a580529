import { fileURLToPath } from 'node:url';

/** The folder of package.json. src/common, dist/common and the bundle's dist/chunks are equally deep, so one relative path serves all. */
export const packageRoot: string = fileURLToPath(new URL('../..', import.meta.url));
