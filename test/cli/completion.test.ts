import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { completionScript, type Shell } from '../../src/cli/completion-script.js';
import { createProgram } from '../../src/cli/program.js';
import { tempDir } from '../helpers/temp-dir.js';

const has = (shell: string) => spawnSync(shell, ['--version']).status === 0;

function folderWith(shell: Shell): { folder: string; script: string } {
  const folder = tempDir();
  const script = join(folder, `completion.${shell}`);
  writeFileSync(script, completionScript(createProgram(), shell));
  mkdirSync(join(folder, 'my data'));
  writeFileSync(join(folder, 'config.json'), '{}');
  return { folder, script };
}

/** What a shell offers for the last word. */
const offered: Record<Shell, (words: string[]) => string[]> = {
  bash(words) {
    const { folder, script } = folderWith('bash');
    const program =
      'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _adaptive_trainer; printf "%s\\n" "${COMPREPLY[@]}"';
    const { stdout } = spawnSync('bash', ['-c', program, 'bash', script, ...words], {
      cwd: folder,
      encoding: 'utf8',
    });
    return stdout.trim().split('\n').filter(Boolean);
  },
  fish(words) {
    const { folder, script } = folderWith('fish');
    const program = `source ${script}; complete -C "${words.join(' ')}"`;
    const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
    const { stdout } = spawnSync('fish', ['--private', '-c', program], {
      cwd: folder,
      encoding: 'utf8',
      env,
    });
    return stdout
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[0]!);
  },
  zsh(words) {
    const { folder, script } = folderWith('zsh');
    // Completes in an interactive zsh behind a terminal, and has the list of matches written instead of shown.
    const setup = [
      'PS1=; autoload -Uz compinit; compinit -u -d $PWD/dump; zmodload zsh/zutil; source $SCRIPT',
      'compadd() { builtin compadd -O found "$@"; print -rl -- $found >> $PWD/offered; builtin compadd "$@" }',
      'bindkey "^I" complete-word; zstyle ":completion:*" list-prompt ""; setopt no_auto_menu no_list_beep',
      'print ready >> $PWD/ready',
    ].join('\n');
    writeFileSync(join(folder, '.zshrc'), setup);
    const driver = [
      'zmodload zsh/zpty',
      'zpty child "zsh -i"',
      'for i in {1..200}; do [[ -e ready ]] && break; sleep 0.1; done',
      'zpty -w -n child "$1"$\'\\t\'',
      'for i in {1..100}; do sleep 0.1; [[ -s offered ]] && break; done',
      'sleep 0.5; zpty -d child',
      'cat offered',
    ].join('\n');
    const env = { ...process.env, ZDOTDIR: folder, HOME: folder, SCRIPT: script, TERM: 'dumb' };
    const { stdout } = spawnSync('zsh', ['-f', '-c', driver, 'zsh', words.join(' ')], {
      ...{ cwd: folder, encoding: 'utf8', env, timeout: 60_000 },
    });
    return stdout.split('\n').filter(Boolean);
  },
};

describe.each(['bash', 'zsh', 'fish'] as const)('%s', (shell) => {
  const test = it.skipIf(!has(shell));

  test('completes commands', { timeout: 60_000 }, () => {
    expect(offered[shell](['adaptive-trainer', 'tr'])).toContain('train');
  });

  test('completes the options of a command, and no other', { timeout: 60_000 }, () => {
    const found = offered[shell](['adaptive-trainer', 'train', '--re']);
    expect(found).toContain('--resume');
    expect(found).not.toContain('--rows');
  });

  test('completes values that are words', { timeout: 60_000 }, () => {
    const found = offered[shell](['adaptive-trainer', 'generate', '--dtype', '']);
    expect(found).toEqual(expect.arrayContaining(['float32', 'bfloat16']));
    expect(offered[shell](['adaptive-trainer', 'completion', 'f'])).toContain('fish');
  });

  test('completes files', { timeout: 60_000 }, () => {
    expect(offered[shell](['adaptive-trainer', 'train', 'conf'])).toContain('config.json');
    expect(offered[shell](['adaptive-trainer', 'train', 'my'])[0]).toMatch(/^my( |\\ )data\/?$/);
  });
});
