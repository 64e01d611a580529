// Rotary position embedding (Su et al. 2021) and its stretched variants, as transformers' modeling_rope_utils
// defines them.
#pragma once
#include <vector>

#include "core/model/decoder_config.h"
#include "core/model/layers.h"
#include "core/upload.h"

namespace adaptive {

/// dims/2 angular frequencies, in radians per position, for a row of `length` tokens (dynamic and longrope
/// depend on it). Errors: MODEL_UNSUPPORTED for a type it does not know.
std::vector<float> ropeFrequencies(const RopeConfig& rope, int64_t length);

/// `count` tokens of one row, from position `first`.
struct PositionRange {
  int64_t first, count;
};

/// What the rotations of a batch are made of.
class Positions {
 public:
  /// Of the rows' tokens, one row after the other.
  Positions(const std::vector<RopeConfig>& ropes, const std::vector<PositionRange>& rows);
  /// Has the upload bring them to where rotations() are wanted; both must live until it is sent.
  void addTo(Upload& upload);
  /// cos and sin [tokens, dims/2] for each rope, once the upload was sent.
  std::vector<Rotation> rotations() const;

 private:
  struct Rope {
    RopeConfig config;
    bool byRow = false;              ///< frequencies depend on the length of a row
    std::vector<float> frequencies;  ///< [dims/2], or [rows, dims/2]
    at::Tensor there = {};
  };
  std::vector<Rope> ropes_;
  std::vector<float> positions_;  ///< [tokens]
  std::vector<int64_t> rows_;     ///< [tokens], where a rope goes by row
  at::Tensor positionsThere_, rowsThere_;
};

}  // namespace adaptive
