interface Addon {
  readonly version: string;
  readonly libtorchVersion: string;
}
export function pluginFault(from: string, addon: Addon): string | undefined;
export function stagePlugin(from: string, target: string, addon: Addon): void;
