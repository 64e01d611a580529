// Questions behind a terminal. Ctrl-C at any of them ends the command with status 130. What asks is loaded with the first one.
import { homedir } from 'node:os';
import { ExitStatus } from './exit-status.js';

const interrupted = 130;

interface Words {
  placeholder: string;
  initialValue?: string;
  /** What is wrong with an answer; undefined: nothing. It is asked again then. */
  faultOf?: (text: string) => string | undefined;
}

/** Asks for a line, which may not be empty. `~/` at its beginning is the home, as in a shell. */
export async function words(message: string, { placeholder, initialValue, faultOf }: Words): Promise<string> {
  const { text } = await prompts();
  const typed = await answer(
    text({
      ...{ message, placeholder },
      ...(initialValue === undefined ? {} : { initialValue }),
      validate: (value) => {
        const line = meant(value ?? '');
        return line === '' ? 'It cannot be left out.' : faultOf?.(line);
      },
    }),
  );
  return meant(typed);
}

/** Asks for one of some names. */
export async function choice(message: string, hints: Readonly<Record<string, string>>): Promise<string> {
  const { select } = await prompts();
  const options = Object.entries(hints).map(([value, hint]) => ({ value, hint }));
  return answer(select<string>({ message, options }));
}

export async function yesOrNo(message: string, initialValue = true): Promise<boolean> {
  const { confirm } = await prompts();
  return answer(confirm({ message, initialValue }));
}

export function toReplace(file: string): Promise<boolean> {
  return yesOrNo(`${file} is there. Replace it?`, false);
}

/** Tells what is wrong with an answer. */
export async function say(message: string): Promise<void> {
  (await prompts()).log.error(message);
}

const prompts = () => import('@clack/prompts');

async function answer<T>(asked: Promise<T>): Promise<Exclude<T, symbol>> {
  const value = await asked;
  const { isCancel, cancel } = await prompts();
  if (isCancel(value)) {
    cancel('Nothing was written.');
    throw new ExitStatus(interrupted);
  }
  return value as Exclude<T, symbol>;
}

function meant(line: string): string {
  return line.trim().replace(/^~(?=\/)/, homedir());
}
