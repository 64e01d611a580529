const replacements = new Map([
  ['<|begin_of_thought|>', '<think>'],
  ['<|end_of_thought|>', '</think>'],
  ['<|begin_of_solution|>', ''],
  ['<|end_of_solution|>', ''],
  ['<|thinking|>', '<think>'],
  ['</|thinking|>', '</think>'],
  ['<|actual_response|>', ''],
  ['</|actual_response|>', ''],
]);

const marks = /<\/?\|[a-z_]+\|>/g;

/** An answer with the reasoning marks of some public datasets written as `<think>` and `</think>`, as models expect. */
export function reasoningMarks(answer: string): string {
  return answer.replace(marks, (mark) => replacements.get(mark) ?? mark);
}
