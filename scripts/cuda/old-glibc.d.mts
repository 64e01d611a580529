export function oldGlibc(root: string): { files: string[]; flags: string[] };
