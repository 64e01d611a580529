import { asObject } from './as-object.js';
import { describeValue } from '../../common/describe-value.js';
import { jsonColumn } from './json-column.js';
import { rowFault } from './row-fault.js';

/** Reads what a message or row says about tools, in the words of OpenAI's format, which chat templates know. */
export const toolCalls = {
  /**
   * `tool_calls` of a message: a list of calls, or its JSON text. Undefined where there is none.
   * @throws AdaptiveTrainerError `DATASET_INVALID`
   */
  ofMessage(value: unknown, where: string): unknown[] | undefined {
    const calls = jsonColumn(value, where);
    if (calls === undefined || calls === null) return undefined;
    if (Array.isArray(calls) && calls.every((call) => asObject(call) !== undefined))
      return calls.length === 0 ? undefined : calls;
    throw rowFault(`Expected ${where} to be a list of calls but found ${describeValue(calls)}.`);
  },

  /**
   * A call as ShareGPT's `function_call` has it, `{ name, arguments }` or its JSON text, or a list of them.
   * @throws AdaptiveTrainerError `DATASET_INVALID`
   */
  fromCall(value: unknown, where: string): unknown[] {
    const given = jsonColumn(value, where);
    const list: unknown[] = Array.isArray(given) ? given : [given];
    return list.map((one) => {
      const call = asObject(one);
      const named = asObject(call?.['function']) ?? call;
      if (typeof named?.['name'] !== 'string') {
        throw rowFault(
          `Expected ${where} to be a call, { "name": …, "arguments": … }, but found ${describeValue(one)}.`,
        );
      }
      const { name, arguments: given, parameters, ...rest } = named;
      const fields = { name, arguments: given ?? parameters ?? {}, ...rest };
      return { ...(named === call ? {} : call), type: 'function', function: fields };
    });
  },

  /**
   * The column `tools`, or `functions` in OpenAI's older format: a list, or its JSON text.
   * @throws AdaptiveTrainerError `DATASET_INVALID`
   */
  described(value: unknown, column: string): unknown[] | undefined {
    const given = jsonColumn(value, `the column "${column}"`);
    if (given === undefined || given === null) return undefined;
    const list = Array.isArray(given) ? given.map((one) => jsonColumn(one, `"${column}"`)) : [given];
    for (const [index, tool] of list.entries()) {
      if (asObject(tool) === undefined)
        throw rowFault(
          `Expected ${column}[${index}] to describe a tool as an object but found ${describeValue(tool)}.`,
        );
    }
    if (list.length === 0) return undefined;
    return column === 'functions' ? list.map((one) => ({ type: 'function', function: one })) : list;
  },
};
