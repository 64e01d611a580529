/** A snake_case name in camelCase: `max_grad_norm` becomes `maxGradNorm`. */
export function camelCase(name: string): string {
  return name.replace(/_+([a-z\d])/g, (_, letter: string) => letter.toUpperCase());
}
