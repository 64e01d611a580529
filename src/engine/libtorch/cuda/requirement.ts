import { satisfies } from '@renovatebot/pep440';

/** What a wheel needs, as its METADATA says it (PEP 508). */
export interface Requirement {
  /** In lower case, with `-` between words. */
  readonly name: string;
  readonly extras: readonly string[];
  /** `==13.1.1.3.*`; empty: any version. */
  readonly specifier: string;
  /** `sys_platform == "linux"`; empty: everywhere. */
  readonly marker: string;
}

/** Values of the variables that a marker may name. */
export type MarkerVariables = Readonly<Record<string, string>>;

/** The name of a Python package as names are compared: `nvidia_cublas` and `NVIDIA-cublas` are one. */
export function normalName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** @throws Error for a line that is no requirement of an index */
export function parseRequirement(text: string): Requirement {
  const [wanted = '', marker = ''] = divided(text);
  const match = /^([A-Za-z\d][\w.-]*)\s*(?:\[([^\]]*)\])?\s*\(?([^()@[\]]*)\)?$/.exec(wanted.trim());
  if (match === null) throw new Error(`${JSON.stringify(text)} is no requirement that can be read`);
  const [, name, extras = '', specifier] = match;
  return {
    name: normalName(name!),
    extras: extras
      .split(',')
      .map((extra) => normalName(extra.trim()))
      .filter(Boolean),
    specifier: specifier!.replace(/\s+/g, ''),
    marker: marker.trim(),
  };
}

/** `nvidia-cublas==13.1.1.3.*`: what pip downloads for it. */
export function requirementText({ name, specifier }: Requirement): string {
  return `${name}${specifier}`;
}

/** Whether a version is one of those wanted. */
export function allows({ specifier }: Requirement, version: string): boolean {
  // `satisfies` takes a local version that is shut out for its release, and would shut out that too.
  const parts = specifier.split(',').filter(Boolean);
  const local = parts.filter((part) => /^!=.*\+/.test(part));
  if (local.includes(`!=${version}`)) return false;
  const rest = parts.filter((part) => !local.includes(part)).join(',');
  return rest === '' || satisfies(version, rest, { prereleases: true });
}

/** What this machine says to markers. Wheels hold the same libraries for every Python, so any that is in use will do. */
export function markersOf({ platform, arch }: { platform: string; arch: string }): MarkerVariables {
  return {
    sys_platform: platform,
    platform_system: { linux: 'Linux', darwin: 'Darwin', win32: 'Windows' }[platform] ?? platform,
    platform_machine: { x64: 'x86_64', arm64: 'aarch64' }[arch] ?? arch,
    os_name: platform === 'win32' ? 'nt' : 'posix',
    implementation_name: 'cpython',
    platform_python_implementation: 'CPython',
    python_version: '3.12',
    python_full_version: '3.12.0',
  };
}

/**
 * Whether a requirement holds on a machine, where the wheel that states it is wanted with these extras.
 * @throws Error for a marker that cannot be read
 */
export function applies(
  { marker }: Requirement,
  variables: MarkerVariables,
  extras: readonly string[],
): boolean {
  if (marker === '') return true;
  return ['', ...extras].some((extra) => new Marker(marker, { ...variables, extra }).value());
}

// A semicolon inside of quotes divides nothing, but no version or name has one.
function divided(text: string): string[] {
  const at = text.indexOf(';');
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** `or` of `and` of comparisons, with parentheses. */
class Marker {
  readonly #tokens: string[];
  #at = 0;

  constructor(
    readonly text: string,
    readonly variables: MarkerVariables,
  ) {
    this.#tokens =
      text.match(/\s*('[^']*'|"[^"]*"|[()]|===|[=!<>~]=|[<>]|not\s+in\b|[\w.]+|\S)/g)?.map((t) => t.trim()) ??
      [];
  }

  value(): boolean {
    const value = this.#any();
    if (this.#at < this.#tokens.length) this.#fail();
    return value;
  }

  #any(): boolean {
    let value = this.#all();
    while (this.#takes('or')) value = this.#all() || value;
    return value;
  }

  #all(): boolean {
    let value = this.#one();
    while (this.#takes('and')) value = this.#one() && value;
    return value;
  }

  #one(): boolean {
    if (!this.#takes('(')) return this.#comparison();
    const value = this.#any();
    if (!this.#takes(')')) this.#fail();
    return value;
  }

  #comparison(): boolean {
    const left = this.#operand();
    const operator = (this.#tokens[this.#at++] ?? '').replace(/\s+/g, ' ');
    const right = this.#operand();
    switch (operator) {
      case 'in':
        return right.value.includes(left.value);
      case 'not in':
        return !right.value.includes(left.value);
    }
    if (!/^([=!<>~]=|===|[<>])$/.test(operator)) this.#fail();
    if (left.isVersion) return satisfies(left.value, `${operator}${right.value}`);
    if (right.isVersion) return satisfies(right.value, `${mirrored(operator)}${left.value}`);
    if (operator === '==' || operator === '===') return left.value === right.value;
    if (operator === '!=') return left.value !== right.value;
    return this.#fail();
  }

  #operand(): { value: string; isVersion: boolean } {
    const token = this.#tokens[this.#at++] ?? '';
    if (/^['"]/.test(token)) return { value: token.slice(1, -1), isVersion: false };
    const value = this.variables[token];
    // A kernel's or an interpreter's build decides nothing that a wheel of libraries depends on.
    if (value === undefined) this.#fail();
    return { value, isVersion: /^python_(full_)?version$/.test(token) };
  }

  #takes(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #fail(): never {
    throw new Error(`the marker ${JSON.stringify(this.text)} cannot be read`);
  }
}

function mirrored(operator: string): string {
  return ({ '<': '>', '>': '<', '<=': '>=', '>=': '<=' } as Record<string, string>)[operator] ?? operator;
}
