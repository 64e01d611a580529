import { familySync, versionSync } from 'detect-libc';

/** What decides which binaries a machine can load. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** The C library of a Linux, `glibc` or `musl`. */
  readonly libc?: string;
  /** Its version, for example `2.36`. */
  readonly libcVersion?: string;
}

let known: Machine | undefined;

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  if (known !== undefined) return known;
  const { platform, arch } = process;
  if (platform !== 'linux') return (known = { platform, arch });
  const [libc, libcVersion] = [familySync(), versionSync()];
  return (known = {
    platform,
    arch,
    ...(libc === null ? {} : { libc }),
    ...(libcVersion === null ? {} : { libcVersion }),
  });
}
