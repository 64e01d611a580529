export declare function rollupTypes(options: { declarations?: string; report?: string }): void;
