/** How a dataset is learned (ADAPTIVE loss, docs/adaptive-loss.md). The order is the integer code the native engine uses. */
export const learningStyles = ['misc', 'ideas', 'attention', 'both'] as const;
export type LearningStyle = (typeof learningStyles)[number];
