export declare function bundle(into: string): Promise<void>;
export declare const inlined: readonly string[];
