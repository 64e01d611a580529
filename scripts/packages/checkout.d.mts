export declare const checkout: string;
export declare const manifest: {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};
