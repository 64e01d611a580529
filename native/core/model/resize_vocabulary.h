// More or fewer tokens in a trained model.
#pragma once
#include "core/model/decoder.h"

namespace adaptive {

/// Gives embedding and head `vocabSize` rows. The first ones stay; new ones are drawn around the mean of the
/// old ones with 1e-9 of their covariance, as transformers' resize_token_embeddings (mean_resizing) does.
/// Hewitt 2021, "Initializing new word embeddings for pretrained language models".
/// Errors: INVALID_INPUT for a size below 1 or a model without weights; OUT_OF_MEMORY.
void resizeVocabulary(Decoder& decoder, int64_t vocabSize, uint64_t seed);

}  // namespace adaptive
