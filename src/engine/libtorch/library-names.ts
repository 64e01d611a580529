/** File names of the libraries every libtorch has, in the order in which they can be loaded. */
export function libraryNames(platform: NodeJS.Platform = process.platform): string[] {
  const names = ['c10', 'torch_cpu', 'torch'];
  if (platform === 'win32') return names.map((name) => `${name}.dll`);
  return names.map((name) => `lib${name}.${platform === 'darwin' ? 'dylib' : 'so'}`);
}
