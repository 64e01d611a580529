import { fileURLToPath } from 'node:url';

/** The folder of package.json. src/native and dist/native are equally deep, so one relative path serves both. */
export const packageRoot: string = fileURLToPath(new URL('../..', import.meta.url));
