export function headersOf(libtorch: string, cuda: string): string[];
export function packageVersion(root: string): string;
export function operatorNamespace(root: string): string;
export function staticRuntime(cuda: string): string | undefined;
export function cudaVersion(cuda: string): string | undefined;
