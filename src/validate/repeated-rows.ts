import { createHash } from 'node:crypto';
import { format } from '../common/format.js';
import { EventLoopPacer } from '../data/tokens/event-loop-pacer.js';
import type { TokenRows } from '../data/tokens/token-rows.js';

/** Finds the rows of a dataset that stand in it more than once, token by token. */
export class RepeatedRows {
  private readonly seen = new Set<string>();
  private readonly pacer = new EventLoopPacer();

  /** @returns what to say of them; undefined where each stands there once */
  async train(rows: TokenRows): Promise<string | undefined> {
    const repeated = await this.count(rows, true);
    if (repeated === 0) return undefined;
    return (
      `${format.count(repeated)} of ${format.count(rows.length)} rows repeat an earlier one word for word, and count that ` +
      'often in each epoch. "inspect" shows them.'
    );
  }

  /** @returns what to say of those among the training rows, which have to be given before; undefined where there are none */
  async eval(rows: TokenRows): Promise<string | undefined> {
    const known = await this.count(rows, false);
    if (known === 0) return undefined;
    return (
      `${format.count(known)} of ${format.count(rows.length)} validation rows stand among the training rows, too: eval/loss ` +
      'says less of what is learned than of what is known by heart. "inspect" shows them.'
    );
  }

  private async count(rows: TokenRows, isKept: boolean): Promise<number> {
    let count = 0;
    for (let index = 0; index < rows.length; index++) {
      const { inputIds, labels } = rows.row(index);
      const key = createHash('sha1').update(inputIds).update(labels).digest('base64');
      if (this.seen.has(key)) count++;
      else if (isKept) this.seen.add(key);
      await this.pacer.breathe();
    }
    return count;
  }
}
