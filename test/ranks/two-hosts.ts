import { execFileSync, spawnSync } from 'node:child_process';
import type { StartOptions } from './run-ranks.js';

/**
 * Two hosts: network namespaces of this machine with a cable (a veth pair) between them. It takes root, and a kernel that has
 * these.
 */
export class TwoHosts {
  readonly names: readonly [string, string];
  readonly cables: readonly [string, string];
  readonly addresses: readonly [string, string];

  /**
   * @param tag short, and no other's
   * @param net the first three numbers of the addresses between them
   */
  constructor(tag: string, net: string) {
    this.names = [`at${tag}a`, `at${tag}b`];
    this.cables = [`at${tag}0`, `at${tag}1`];
    this.addresses = [`${net}.1`, `${net}.2`];
  }

  /** @returns why not, where this machine cannot have them; everything that was begun is undone */
  open(): string | undefined {
    if (spawnSync('ip', ['netns', 'add', this.names[0]], { stdio: 'ignore' }).status !== 0)
      return 'this machine has no ip, or lets nobody make network namespaces with it';
    try {
      ip('netns', 'add', this.names[1]);
      ip('link', 'add', this.cables[0], 'type', 'veth', 'peer', 'name', this.cables[1]);
      this.names.forEach((host, i) => {
        ip('link', 'set', this.cables[i]!, 'netns', host);
        ip('-n', host, 'addr', 'add', `${this.addresses[i]}/24`, 'dev', this.cables[i]!);
        ip('-n', host, 'link', 'set', 'lo', 'up');
        ip('-n', host, 'link', 'set', this.cables[i]!, 'up');
      });
    } catch (error) {
      this.close();
      return `this machine cannot join two network namespaces (${(error as Error).message.trim()})`;
    }
    return undefined;
  }

  close(): void {
    for (const host of this.names) spawnSync('ip', ['netns', 'del', host], { stdio: 'ignore' });
  }

  /** The variables, and the commands, of ranks that are on these hosts: the first half on the first. */
  options(size = 2): StartOptions {
    const each = size / 2;
    const hostOf = (rank: number) => this.names[Math.floor(rank / each)]!;
    return {
      prefix: (rank) => ['ip', 'netns', 'exec', hostOf(rank)],
      env: (rank) => ({
        MASTER_ADDR: this.addresses[0],
        ...{ LOCAL_RANK: String(rank % each), LOCAL_WORLD_SIZE: String(each) },
      }),
    };
  }

  plugIn(isIn: boolean): void {
    ip('-n', this.names[1], 'link', 'set', this.cables[1], isIn ? 'up' : 'down');
  }

  /**
   * Sends no faster than this in both directions; undefined: as fast as it can.
   * @param rate as tc takes it: 100mbit
   * @returns why not, where this kernel cannot
   */
  throttle(rate: string | undefined): string | undefined {
    for (const [i, host] of this.names.entries()) {
      const device = ['dev', this.cables[i]!, 'root'];
      spawnSync('tc', ['-n', host, 'qdisc', 'del', ...device], { stdio: 'ignore' });
      if (rate === undefined) continue;
      const shape = ['tbf', 'rate', rate, 'burst', '256kb', 'latency', '50ms'];
      const { status, stderr } = spawnSync('tc', ['-n', host, 'qdisc', 'add', ...device, ...shape]);
      if (status !== 0) return `tc cannot throttle here (${stderr?.toString().trim() ?? 'there is no tc'})`;
    }
    return undefined;
  }

  /**
   * Drops so many of 100 packets that come to either host over the cable, at random; 0: none.
   * @returns why not, where this kernel cannot
   */
  lose(percent: number): string | undefined {
    for (const [i, host] of this.names.entries()) {
      const some = percent === 100 ? '' : `numgen random mod 100 < ${percent} `;
      const chain = `type filter hook input priority 0\niifname "${this.cables[i]}" ${some}counter drop`;
      const clear = 'table inet lossy\ndelete table inet lossy\n';
      const rules = percent === 0 ? clear : `${clear}table inet lossy {\nchain in {\n${chain}\n}\n}\n`;
      const { status, stderr } = spawnSync('ip', ['netns', 'exec', host, 'nft', '-f', '-'], { input: rules });
      if (status === 0) continue;
      const why = stderr?.toString().trim() ?? '';
      if (/No such file|not supported|not permitted|netlink/i.test(why))
        return `this machine has no nft that can drop packets at random (${why})`;
      throw new Error(why);
    }
    return undefined;
  }

  /** How many packets each host has dropped since lose(). */
  lost(): number[] {
    return this.names.map((host) => {
      const rules = ip('netns', 'exec', host, 'nft', 'list', 'table', 'inet', 'lossy').toString();
      return Number(/counter packets (\d+)/.exec(rules)?.[1]);
    });
  }
}

function ip(...args: string[]): Buffer {
  return execFileSync('ip', args, { stdio: 'pipe' });
}
