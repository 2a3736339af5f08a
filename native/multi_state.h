// Keyed state of kind Multi: a key's rows with their counts.  Single owner.
//
// Rows live in slots; those of one key form a chain, a directory leads from the key to its chain, and (unless the state takes each
// row as a new one) another from a row's values to its slot.  A count may be negative; a row whose count is zero is
// given up when the batch that made it so is settled, so that what happens in between may still look at it.
#pragma once

#include "directory.h"
#include "hash.h"
#include "row_store.h"

namespace tableflow {

// What a batch did to the rows of a state, once for each row whose count is another one now.
struct RowChanges {
  std::vector<uint32_t> slots;
  std::vector<uint32_t> rows;  // one of the batch's rows that has these values
  std::vector<int64_t> before, after;
  std::vector<uint32_t> unmatchable;  // rows with a NULL in a key that is not null-safe: they are not kept
};

// What a batch did to the first rows of keys: the first `gone` of these are taken back, the others come.
struct LeadingChanges {
  std::vector<uint32_t> slots;
  std::vector<int64_t> places;  // of each within its key, from 0; empty unless they are asked for
  int64_t gone = 0;
};

struct SlotOrder {
  int column;
  bool descending, nulls_first;
};

class MultiState {
 public:
  // Keys are columns of the rows.  `counted`: equal rows share a slot; else each has its own, counts once and weights are refused.
  MultiState(const std::vector<std::string>& formats, std::vector<int> keys, std::vector<uint8_t> null_safe, bool counted);

  // What comes next is of a batch of which `rows` rows are for this one of so many states: long texts may be kept in its memory.
  void share(int64_t rows, int states) { store_.share(rows, states); }

  // `weights` (may be null: one each) belong to stored rows, as the vectors' values do.
  // Without `settles` rows whose count was made zero before stay readable: what is applied is part of a larger change.
  RowChanges apply(std::span<const Input> inputs, const uint32_t* rows, int64_t n, const int64_t* weights, bool settles = true);
  // The same where only the first `limit` rows of a key by `order` are kept, in chains from the last of them to the first (so nothing
  // else may add rows).  Rows are not counted; of equal ones the older comes first.  `placed`: a row with another place than before is
  // taken back and comes again.
  LeadingChanges lead(std::span<const Input> inputs, const uint32_t* rows, int64_t n, std::span<const SlotOrder> order, int64_t limit,
                      bool placed);
  // Gives up the rows whose count was made zero since this was last done, and still is, or that are no more among the first since the last lead().
  void settle();
  void remove(uint32_t slot);

  // Chains of the keys in these vectors (types as the key columns); no_slot where there is none.
  void find(std::span<const Input> keys, const uint32_t* rows, int64_t n, uint32_t* heads);
  uint32_t next(uint32_t slot) const { return links_[slot].next - 1; }
  // Chains to which these slots belong, each once.
  std::vector<uint32_t> chains(const uint32_t* slots, int64_t n);

  int64_t count(uint32_t slot) const { return counted_ ? counts_[slot] : 1; }
  bool live(uint32_t slot) const { return slot < links_.size() && links_[slot].previous != freed; }
  // Live slots from `start` on, at most `limit`.
  std::vector<uint32_t> live_from(int64_t start, int64_t limit) const;
  // Live slots whose integer column is below the bound.
  std::vector<uint32_t> below(int column, int64_t bound) const;

  // A number per row that is the owner's, zero at first.  The first change of each since the last take is remembered.
  void add_marks(const uint32_t* slots, const int64_t* by, int64_t n);
  int64_t mark(uint32_t slot) const { return slot < marks_.size() ? marks_[slot] : 0; }
  void take_marked(std::vector<uint32_t>& slots, std::vector<int64_t>& before);

  const RowStore& store() const { return store_; }
  int64_t rows() const { return rows_; }
  int64_t slots() const { return int64_t(links_.size()); }
  int64_t keys() const { return int64_t(key_cells_.used()); }
  bool prepare(int64_t rows);
  int64_t bytes() const;
  int64_t bytes_after(int64_t rows) const;
  void clear();
  // Whether most of the slots have no row; compact() then gives their memory back, and says which rows have moved where.
  bool sparse() const;
  void compact(std::vector<uint32_t>& from, std::vector<uint32_t>& to);

 private:
  static constexpr uint32_t freed = UINT32_MAX;
  struct KeyCell {
    uint64_t word = 0;
    uint32_t head = 0;  // + 1
    uint32_t led = 0;   // number + 1 among the keys of the batch at hand
    bool used() const { return head; }
    uint64_t hash() const { return hash_value(int64_t(word)); }
  };
  struct RowCell {
    uint32_t tag = 0;
    uint32_t slot = 0;  // + 1
    bool used() const { return slot; }
    uint64_t hash() const { return tag; }
  };
  struct Links {
    uint32_t next = 0, previous = 0;  // + 1; a free slot's `previous` is `freed`
  };
  void load_keys(const std::vector<LoadedColumn>& loaded, bool by_key, int n);
  uint64_t key_cell(const std::vector<LoadedColumn>& loaded, bool by_key, int i) const;
  uint64_t stored_word(uint32_t slot) const;
  uint32_t insert(int i);
  uint32_t store(int i);
  uint32_t take_slot();
  void give_slot(uint32_t slot);
  void move(uint32_t from, uint32_t to);
  bool goes_before(int i, uint32_t slot, std::span<const SlotOrder> order) const;
  struct Led;
  void lead_piece(const Piece& piece, std::span<const SlotOrder> order, int64_t limit, std::vector<Led>& keys,
                  std::vector<uint32_t>& before, std::vector<uint32_t>& fresh);
  void tell_places(const std::vector<Led>& keys, const std::vector<uint32_t>& before, LeadingChanges& out) const;

  RowStore store_;
  std::vector<int> keys_;
  std::vector<uint8_t> null_safe_;
  bool counted_, exact_;
  Directory<KeyCell> key_cells_;
  Directory<RowCell> row_cells_;
  Array<Links> links_;
  Array<int64_t> counts_;
  Array<uint32_t> tags_;      // of each row's values
  Array<uint32_t> touched_;   // by slot: number + 1 in the changes of the batch at hand
  Array<int64_t> marks_;
  Array<uint8_t> marked_;     // by slot: whether it is in changed_marks_
  std::vector<std::pair<uint32_t, int64_t>> changed_marks_;
  std::vector<uint32_t> dead_;
  std::vector<uint32_t> parted_;  // no more in their chains
  uint32_t free_ = 0;  // + 1, chained by `next`
  int64_t rows_ = 0;
  // Of the piece at hand.
  std::vector<LoadedColumn> loaded_, loaded_keys_;
  std::vector<uint64_t> words_, hashes_;
  std::vector<uint8_t> matchable_;
};

}  // namespace tableflow
