import { describeValue } from './describe-value.js';

/** What was thrown, in words; anything can be. */
export function errorText(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown === 'string' ? thrown : describeValue(thrown);
  return thrown.message === '' ? thrown.name : thrown.message;
}
