/**
 * Whether a file name of a repository stays inside the folder it is put in, on any system: no empty part, no `.` or `..`,
 * no root, drive or backslash.
 */
export function isSafePath(path: string): boolean {
  // eslint-disable-next-line no-control-regex -- a NUL ends a path for the operating system
  if (/[\\\u0000]/.test(path)) return false;
  return path.split('/').every((part) => !['', '.', '..'].includes(part) && !/^[a-z]:/i.test(part));
}
