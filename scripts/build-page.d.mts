export declare function buildPage(): Promise<void>;
