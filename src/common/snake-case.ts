/** The snake_case spelling of a camelCase name: `maxLengthToken` → `max_length_token`, `loadIn4bit` → `load_in_4bit`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]|(?<=[a-z])\d+(?=bit)/g, (found) => `_${found.toLowerCase()}`);
}
