import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives memory back that is no longer used, in this thread. Making a tokenizer leaves as much behind as it takes, and V8
 * would keep it for a long time, in each thread.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc'); // only contexts that are made from now on have the function
  const collect = runInNewContext('typeof gc === "function" ? gc : undefined') as (() => void) | undefined;
  collect?.();
}
