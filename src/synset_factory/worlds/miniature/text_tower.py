"""A CLIP's own text tower and vocabulary, as the transformers modules that diffusers uses."""

import open_clip
import torch
from open_clip.tokenizer import SimpleTokenizer
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"  # transformers' names
OPEN_CLIP_NAMES = {"<start_of_text>": START, "<end_of_text>": END}


def transformers_tokenizer(context_length: int) -> CLIPTokenizer:
    """Return the tokenizer of transformers with open_clip's vocabulary: equal ids for words.

    Padding differs: open_clip pads with 0, transformers with the end token.
    """
    source = SimpleTokenizer()
    vocab = {OPEN_CLIP_NAMES.get(token, token): number for token, number in source.encoder.items()}
    merges = [tuple(pair) for pair in source.bpe_ranks]
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=context_length)


def transformers_text_model(model: open_clip.CLIP) -> CLIPTextModel:
    """Return the text tower of an open_clip model as a CLIPTextModel with the same weights."""
    blocks = model.transformer.resblocks
    width = model.token_embedding.embedding_dim
    tokenizer = transformers_tokenizer(model.context_length)
    tower = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=model.vocab_size,
            hidden_size=width,
            intermediate_size=blocks[0].mlp.c_fc.out_features,
            projection_dim=model.text_projection.shape[1],
            num_hidden_layers=len(blocks),
            num_attention_heads=blocks[0].attn.num_heads,
            max_position_embeddings=model.context_length,
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    state = _transformers_state(model)
    prefix = "text_model." if any(k.startswith("text_model.") for k in tower.state_dict()) else ""
    tower.load_state_dict({prefix + key: value for key, value in state.items()}, strict=True)
    return tower.eval()


def _transformers_state(model: open_clip.CLIP) -> dict[str, torch.Tensor]:
    """Rename the weights, and cut the joint projection of query, key and value into three."""
    state = {
        "embeddings.token_embedding.weight": model.token_embedding.weight,
        "embeddings.position_embedding.weight": model.positional_embedding,
        "final_layer_norm.weight": model.ln_final.weight,
        "final_layer_norm.bias": model.ln_final.bias,
    }
    for number, block in enumerate(model.transformer.resblocks):
        layer = f"encoder.layers.{number}"
        for kind in ("weight", "bias"):
            joint = getattr(block.attn, f"in_proj_{kind}").chunk(3)
            for name, part in zip(("q_proj", "k_proj", "v_proj"), joint, strict=True):
                state[f"{layer}.self_attn.{name}.{kind}"] = part
            for name, module in (
                ("self_attn.out_proj", block.attn.out_proj),
                ("layer_norm1", block.ln_1),
                ("layer_norm2", block.ln_2),
                ("mlp.fc1", block.mlp.c_fc),
                ("mlp.fc2", block.mlp.c_proj),
            ):
                state[f"{layer}.{name}.{kind}"] = getattr(module, kind)
    return {key: value.detach().clone() for key, value in state.items()}
