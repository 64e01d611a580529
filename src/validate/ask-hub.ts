import { AdaptiveTrainerError } from '../errors.js';
import { isDown } from '../hub/client/hub-failures.js';

/** What came of a question to the Hub: an answer, a fault of the configuration in words, or neither. */
export interface HubReply<T> {
  answer?: T;
  fault?: string;
}

/**
 * Asks the Hub something about a configuration. A Hub that is out of reach or wants to be left alone says nothing about
 * the configuration: that is noted, and no fault.
 */
export async function askHub<T>(
  question: () => Promise<T>,
  onNote: (note: string) => void,
): Promise<HubReply<T>> {
  try {
    return { answer: await question() };
  } catch (error) {
    if (!AdaptiveTrainerError.isInstance(error)) throw error;
    if (!isDown(error) && error.details['status'] !== 429) return { fault: error.message };
    onNote(`could not be checked. ${error.message}`);
    return {};
  }
}
