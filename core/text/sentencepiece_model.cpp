// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/text/sentencepiece_model.h"

#include "core/text/protobuf_wire.h"

namespace lockstep {
namespace {

using Model = SentencePieceModel;

// Field numbers of ModelProto and its parts.
namespace field {
enum Proto : uint32_t { pieces = 1, trainer_spec = 2, normalizer_spec = 3, denormalizer_spec = 5 };
enum Piece : uint32_t { text = 1, score = 2, type = 3 };
enum Trainer : uint32_t {
    model_type = 3,
    treat_whitespace_as_suffix = 24,
    byte_fallback = 35,
    unk_surface = 44,
    unk_piece = 45,
    bos_piece = 46,
    eos_piece = 47,
};
enum Normalizer : uint32_t {
    precompiled_charsmap = 2,
    add_dummy_prefix = 3,
    remove_extra_whitespaces = 4,
    escape_whitespaces = 5,
};
}  // namespace field

Status expect(const WireField& found, WireType type, std::string_view name) {
    if (found.type == type) return {};
    return fail(ErrorKind::invalid_file, std::string(name) + " is of a wrong type");
}

Status read(const WireField& found, std::string_view name, std::string& value) {
    LOCKSTEP_TRY(expect(found, WireType::bytes, name));
    value = std::string(found.bytes);
    return {};
}

Status read(const WireField& found, std::string_view name, bool& value) {
    LOCKSTEP_TRY(expect(found, WireType::varint, name));
    value = found.value != 0;
    return {};
}

// Runs `read_field` on each field of a message.
template <class ReadField>
Status for_each_field(std::string_view message, const ReadField& read_field) {
    for (WireReader reader(message); !reader.done();) {
        LOCKSTEP_ASSIGN(const WireField found, reader.next());
        LOCKSTEP_TRY(read_field(found));
    }
    return {};
}

Status read_piece(const WireField& found, Model::Piece& piece) {
    switch (found.number) {
        case field::text:
            return read(found, "piece", piece.text);
        case field::score:
            LOCKSTEP_TRY(expect(found, WireType::fixed32, "score"));
            piece.score = found.as_float();
            return {};
        case field::type:
            LOCKSTEP_TRY(expect(found, WireType::varint, "type"));
            if (found.value < 1 || found.value > 6)
                return fail(ErrorKind::invalid_file,
                            "type " + std::to_string(found.value) + " is unknown");
            piece.type = static_cast<TokenType>(found.value);
            return {};
        default:
            return {};
    }
}

Status read_trainer(const WireField& found, Model& model) {
    switch (found.number) {
        case field::model_type:
            LOCKSTEP_TRY(expect(found, WireType::varint, "trainer_spec.model_type"));
            if (found.value < 1 || found.value > 4)
                return fail(
                    ErrorKind::invalid_file,
                    "trainer_spec.model_type " + std::to_string(found.value) + " is unknown");
            model.algorithm = static_cast<Model::Algorithm>(found.value);
            return {};
        case field::treat_whitespace_as_suffix:
            return read(found, "trainer_spec.treat_whitespace_as_suffix",
                        model.treat_whitespace_as_suffix);
        case field::byte_fallback:
            return read(found, "trainer_spec.byte_fallback", model.byte_fallback);
        case field::unk_surface:
            return read(found, "trainer_spec.unk_surface", model.unk_surface);
        case field::unk_piece:
            return read(found, "trainer_spec.unk_piece", model.unk_piece);
        case field::bos_piece:
            return read(found, "trainer_spec.bos_piece", model.bos_piece);
        case field::eos_piece:
            return read(found, "trainer_spec.eos_piece", model.eos_piece);
        default:
            return {};  // what training was told
    }
}

Status read_normalizer(const WireField& found, Model& model) {
    switch (found.number) {
        case field::precompiled_charsmap:
            return read(found, "normalizer_spec.precompiled_charsmap", model.charsmap);
        case field::add_dummy_prefix:
            return read(found, "normalizer_spec.add_dummy_prefix", model.add_dummy_prefix);
        case field::remove_extra_whitespaces:
            return read(found, "normalizer_spec.remove_extra_whitespaces",
                        model.remove_extra_whitespaces);
        case field::escape_whitespaces:
            return read(found, "normalizer_spec.escape_whitespaces", model.escape_whitespaces);
        default:
            return {};
    }
}

Status read_denormalizer(const WireField& found, Model& model) {
    if (found.number != field::precompiled_charsmap) return {};
    return read(found, "denormalizer_spec.precompiled_charsmap", model.denormalizer_charsmap);
}

Status read_proto(const WireField& found, Model& model) {
    const bool known = found.number == field::pieces || found.number == field::trainer_spec ||
                       found.number == field::normalizer_spec ||
                       found.number == field::denormalizer_spec;
    if (!known) return {};  // self tests, extensions
    LOCKSTEP_TRY(expect(found, WireType::bytes, "a part of the model"));
    if (found.number == field::pieces) {
        Model::Piece& piece = model.pieces.emplace_back();
        const auto read_field = [&](const WireField& inner) { return read_piece(inner, piece); };
        if (auto status = for_each_field(found.bytes, read_field); !status)
            return within("pieces[" + std::to_string(model.pieces.size() - 1) + "]",
                          status.error());
        return {};
    }
    return for_each_field(found.bytes, [&](const WireField& inner) {
        if (found.number == field::trainer_spec) return read_trainer(inner, model);
        if (found.number == field::normalizer_spec) return read_normalizer(inner, model);
        return read_denormalizer(inner, model);
    });
}

}  // namespace

Result<SentencePieceModel> parse_sentencepiece_model(std::string_view bytes) {
    SentencePieceModel model;
    const auto read_field = [&](const WireField& found) { return read_proto(found, model); };
    LOCKSTEP_TRY(for_each_field(bytes, read_field));
    LOCKSTEP_TRY(check(model));
    return model;
}

std::string serialize(const SentencePieceModel& model) {
    WireWriter proto;
    for (const auto& piece : model.pieces) {
        WireWriter writer;
        writer.bytes(field::text, piece.text);
        writer.float32(field::score, piece.score);
        writer.varint(field::type, static_cast<uint64_t>(piece.type));
        proto.bytes(field::pieces, writer.take());
    }
    WireWriter trainer;
    trainer.varint(field::model_type, static_cast<uint64_t>(model.algorithm));
    trainer.varint(field::treat_whitespace_as_suffix, model.treat_whitespace_as_suffix ? 1 : 0);
    trainer.varint(field::byte_fallback, model.byte_fallback ? 1 : 0);
    trainer.bytes(field::unk_surface, model.unk_surface);
    trainer.bytes(field::unk_piece, model.unk_piece);
    trainer.bytes(field::bos_piece, model.bos_piece);
    trainer.bytes(field::eos_piece, model.eos_piece);
    proto.bytes(field::trainer_spec, trainer.take());
    WireWriter normalizer;
    normalizer.bytes(field::precompiled_charsmap, model.charsmap);
    normalizer.varint(field::add_dummy_prefix, model.add_dummy_prefix ? 1 : 0);
    normalizer.varint(field::remove_extra_whitespaces, model.remove_extra_whitespaces ? 1 : 0);
    normalizer.varint(field::escape_whitespaces, model.escape_whitespaces ? 1 : 0);
    proto.bytes(field::normalizer_spec, normalizer.take());
    if (!model.denormalizer_charsmap.empty()) {
        WireWriter denormalizer;
        denormalizer.bytes(field::precompiled_charsmap, model.denormalizer_charsmap);
        proto.bytes(field::denormalizer_spec, denormalizer.take());
    }
    return proto.take();
}

}  // namespace lockstep
