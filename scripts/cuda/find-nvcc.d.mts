export function findNvcc(env?: NodeJS.ProcessEnv): string;
