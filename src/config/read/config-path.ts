/** Appends a key or an index to a path the way it would be written in JavaScript: `a.b`, `a[0]`, `a["x/y"]`. */
export function configPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === '' ? key : `${parent}.${key}`;
}
