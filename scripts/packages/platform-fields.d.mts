export declare function platformFields(machine: {
  readonly platform: string;
  readonly arch: string;
  readonly libc?: string;
}): { readonly os: string[]; readonly cpu: string[]; readonly libc?: string[] };
