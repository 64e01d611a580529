import { InvalidArgumentError, Option } from 'commander';

/** An option that takes a number. */
export function numberOption(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.argParser((text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) return value;
    throw invalid(option, 'a number for --', text);
  });
}

/** An option that takes a whole number, `least` or more. */
export function countOption(flags: string, description: string, least = 0): Option {
  const option = new Option(flags, description);
  return option.argParser((text) => {
    if (/^\d+$/.test(text) && Number(text) >= least) return Number(text);
    throw invalid(option, `a whole number${least > 0 ? ` from ${least} on` : ''} after --`, text);
  });
}

const byteUnits: Readonly<Record<string, number>> = {
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
  ...{ KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
};

/** `--device-memory`: bytes, `24GiB`. */
export function deviceMemoryOption(when = ''): Option {
  const option = new Option(
    '--device-memory <size>',
    `${when}plan for a GPU with so much memory (24GiB), which need not be in this machine`,
  );
  return option.argParser((text) => {
    const [, value = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([KMGT]i?B)$/i.exec(text.trim()) ?? [];
    const [, bytes = 0] =
      Object.entries(byteUnits).find(([name]) => name.toLowerCase() === unit.toLowerCase()) ?? [];
    if (Number(value) * bytes > 0) return Math.floor(Number(value) * bytes);
    throw invalid(option, 'a size such as 24GiB or 24GB after --', text);
  });
}

/** `--rows`: a whole number, 1 or more, or `all`, which is Infinity. */
export function rowsOption(description: string): Option {
  const option = new Option('--rows <n>', description);
  return option.argParser((text) => {
    if (text === 'all') return Infinity;
    if (/^[1-9]\d*$/.test(text)) return Number(text);
    throw invalid(option, 'a whole number above 0, or all, after --', text);
  });
}

/** An option that takes one of some words. */
export function choiceOption(flags: string, description: string, words: readonly string[]): Option {
  const option = new Option(flags, description).choices(words);
  return option.argParser((text) => {
    if (words.includes(text)) return text;
    const listed = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
    throw new InvalidArgumentError(
      `Expected --${option.name()} ${listed} but received ${JSON.stringify(text)}.`,
    );
  });
}

function invalid(option: Option, expected: string, text: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `Expected ${expected}${option.name()} but received ${JSON.stringify(text)}.`,
  );
}
