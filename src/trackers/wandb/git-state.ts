import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const options = { timeout: 2_000, windowsHide: true } as const;

/** The commit of the current folder and where it is kept, without a password in the address; empty outside of git. */
export async function gitState(): Promise<{ gitCommit?: string; gitRemote?: string }> {
  try {
    const commit = (await run('git', ['rev-parse', 'HEAD'], options)).stdout.trim();
    const remote = await run('git', ['remote', 'get-url', 'origin'], options).then(
      ({ stdout }) => withoutCredentials(stdout.trim()),
      () => undefined,
    );
    return { gitCommit: commit, ...(remote === undefined ? {} : { gitRemote: remote }) };
  } catch {
    return {};
  }
}

function withoutCredentials(address: string): string {
  return address.replace(/^([a-z+]+:\/\/)[^/@]*@/i, '$1');
}
