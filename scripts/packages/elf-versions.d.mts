export declare const limits: Readonly<Record<string, string>>;
export declare function neededVersions(file: string): Map<string, string[]>;
export declare function tooNew(file: string, most?: Readonly<Record<string, string>>): string[];
