import pc from 'picocolors';
import { engineFindings } from './engine-findings.js';
import type { Finding } from './finding.js';
import { machineFindings, versionFindings } from './machine-findings.js';
import { environmentFindings, networkFindings } from './network-findings.js';

interface Section {
  title: string;
  findings: Finding[];
}

const marks = { ok: pc.green('✓'), info: ' ', warning: pc.yellow('!'), problem: pc.red('✗') };
const nameWidth = 27;

/** Looks at this machine and prints what it finds. Resolves to whether nothing is broken. */
export async function doctor({ json }: { json: boolean }, env = process.env): Promise<boolean> {
  const sections: Section[] = [
    { title: 'Versions', findings: versionFindings() },
    { title: 'Machine', findings: await machineFindings(env) },
    { title: 'Engine', findings: engineFindings() },
    { title: 'Network and accounts', findings: await networkFindings(env) },
    { title: 'Environment', findings: environmentFindings(env) },
  ];
  const all = sections.flatMap(({ findings }) => findings);
  const problems = all.filter(({ state }) => state === 'problem').length;
  if (json) console.log(JSON.stringify({ ok: problems === 0, sections }, null, 2));
  else
    console.log(
      `${sections
        .map(textOf)
        .filter((text) => text !== '')
        .join('\n\n')}\n\n${verdict(problems)}`,
    );
  return problems === 0;
}

function textOf({ title, findings }: Section): string {
  if (findings.length === 0) return '';
  return [pc.bold(title), ...findings.map(line)].join('\n');
}

function line({ name, state, found, mend }: Finding): string {
  const rest = `\n${' '.repeat(4)}`;
  const first = `${marks[state]} ${name.padEnd(nameWidth)} ${found.replaceAll('\n', rest)}`;
  return mend === undefined ? first : `${first}${rest}→ ${mend.replaceAll('\n', rest)}`;
}

function verdict(problems: number): string {
  if (problems === 0) return 'Nothing is broken.';
  return `${problems} ${problems === 1 ? 'problem' : 'problems'} found. What helps stands behind each arrow.`;
}
