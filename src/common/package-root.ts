import { fileURLToPath } from 'node:url';

/** The folder of package.json. src/common and dist/common are equally deep, so one relative path serves both. */
export const packageRoot: string = fileURLToPath(new URL('../..', import.meta.url));
