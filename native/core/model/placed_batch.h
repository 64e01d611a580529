// A batch where the model is: what its passes read of the host's numbers, brought there in one copy.
#pragma once
#include <vector>

#include "core/model/decoder_config.h"
#include "core/model/dropout_key.h"
#include "core/model/flat_batch.h"
#include "core/model/rope.h"
#include "core/upload.h"

namespace adaptive {

struct PlacedBatch {
  at::Tensor ids;  ///< int64 [tokens]
  RowOffsets rows;
  std::vector<Rotation> rotations;  ///< one for each of the model's ropes
  at::Tensor positions;             ///< int64 [tokens]; undefined unless positions are learned
  at::Tensor noise;  ///< float32 [tokens]: what the noise of a token is multiplied with; undefined: none
  DropoutKey key;    ///< the randomness of dropout and noise
};

/// Brings a batch to where `upload` goes, with what that has already, and sends it. `rows`: where its rows
/// stand. `noise`: α of NEFTune, which a key turns on. Errors: INVALID_INPUT for positions that the model
/// does not have.
PlacedBatch placedBatch(const FlatBatch& batch, const std::vector<PositionRange>& rows,
                        const DecoderConfig& config, double noise, const DropoutKey& key, Upload& upload);

}  // namespace adaptive
