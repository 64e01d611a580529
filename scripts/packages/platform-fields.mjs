/** The fields by which npm, pnpm and yarn leave a package out on machines that it is not for. */
export function platformFields({ platform, arch, libc }) {
  return {
    os: [platform],
    cpu: [arch],
    ...(libc === undefined ? {} : { libc: [libc] }),
    // A shared library cannot be loaded out of yarn's zip files.
    preferUnplugged: true,
  };
}
