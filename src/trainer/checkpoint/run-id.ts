import { randomBytes } from 'node:crypto';

/** The name of one run among all: when it began (UTC) and some chance, such as `20260131-093000-1f3a9c`. */
export function newRunId(): string {
  const [day, time] = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15).split('T');
  return `${day}-${time}-${randomBytes(3).toString('hex')}`;
}
