# Copyright 2026 The clip_depth_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sentences about distance and their vectors."""

from pathlib import Path

from clip_depth_ros.errors import ConfigError, WeightsError
from clip_depth_ros.model.text import TextEncoder
from clip_depth_ros.predictor.build import build_predictor
from clip_depth_ros.predictor.scenes import fill, sentences_about, word_vectors, words_file
from clip_depth_ros.settings.predictor import PredictorSettings
from hypothesis import given, strategies as st
import numpy as np
import pytest
import torch

OFFICIAL = 'This {} is {}'


class LettersTower:
    """Reads a sentence as a vector: how often a, b and c occur."""

    def __init__(self):
        self.sentences = []

    def __call__(self, texts):
        self.sentences += texts
        return torch.tensor([[text.count(letter) for letter in 'abc'] for text in texts])

    def encode_text(self, counts):
        return counts.float()


@pytest.fixture
def tower():
    return LettersTower()


@pytest.fixture
def embed(tower):
    encoder = TextEncoder(tower, tower, 'cpu')
    return lambda sentences: encoder.embed(sentences).numpy()


def test_a_sentence_by_hand():
    assert fill(OFFICIAL, 'object', 'not in distance') == 'This object is not in distance'
    assert fill('a photo of a {}', 'kitchen') == 'a photo of a kitchen'


@given(st.text(), st.text())
def test_texts_are_taken_as_they_are(first, second):
    """Braces and format fields in a word are words."""
    assert fill('<{}|{}>', first, second) == f'<{first}|{second}>'


def test_no_formatting_language_is_evaluated():
    assert fill(OFFICIAL, '{0.__class__}', '{}') == 'This {0.__class__} is {}'


def test_every_template_meets_every_object():
    assert sentences_about('far', templates=['{} {}', '{}: {}'], objects=['car', 'wall']) == [
        'car far', 'wall far', 'car: far', 'wall: far',
    ]


def test_one_sentence_for_a_word_is_its_unit_vector(embed):
    vectors = word_vectors(embed, ['aab', 'c'], templates=['{}{}'], objects=['x'])

    expected = np.array([[2, 1, 0], [0, 0, 1]]) / np.array([[5**0.5], [1]])
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


def test_an_ensemble_is_the_mean_of_unit_vectors_made_unit_again(embed):
    """``aaa`` counts no more than ``b``: lengths are taken off before the mean, not after."""
    vectors = word_vectors(embed, [''], templates=['{}{}'], objects=['aaa', 'b'])

    np.testing.assert_allclose(vectors, np.array([[1, 1, 0]]) / 2**0.5, rtol=1e-6)


def test_objects_of_one_word_do_not_leak_into_another(embed):
    vectors = word_vectors(embed, ['a', 'b'], templates=['{}{}'], objects=['', 'c'])
    alone = word_vectors(embed, ['b'], templates=['{}{}'], objects=['', 'c'])

    np.testing.assert_allclose(vectors[1:], alone, rtol=1e-6)


def test_the_same_prompts_are_read_once_and_changed_ones_once_more(tower, embed):
    def read(words):
        word_vectors(embed, words, templates=[OFFICIAL], objects=['cab'])

    read(['a', 'b'])
    read(['a', 'b'])
    assert tower.sentences == ['This cab is a', 'This cab is b']

    read(['a', 'c'])
    read(['b', 'c'])
    assert tower.sentences[2:] == ['This cab is c']


class TestLearnedWords:
    """A file of vectors in place of sentences; it belongs to one CLIP."""

    @pytest.fixture
    def settings(self, tmp_path):
        return PredictorSettings(
            backbone='tiny', pretrained='bundled', method='depthclip', device='cpu',
            precision='fp32', learned_words=str(tmp_path / 'words.safetensors'),
        )

    @pytest.fixture
    def network(self, settings):
        return build_predictor(settings.changed(learned_words='')).network

    @pytest.fixture
    def words(self, settings, network):
        turned = np.eye(7, 128, dtype=np.float32)
        Path(settings.learned_words).write_bytes(words_file(turned, network))
        return turned

    def test_they_are_what_patches_are_compared_with(self, settings, words):
        predictor = build_predictor(settings)
        np.testing.assert_array_equal(predictor.words, words)
        assert predictor.describe()['words'].startswith('learned (words.safetensors, sha256 ')

    def test_those_of_another_clip_are_refused(self, settings, words):
        with pytest.raises(WeightsError, match=r'learned_words: .* belongs to the CLIP'):
            build_predictor(settings.changed(pretrained='random'))

    def test_there_must_be_one_for_each_bin(self, settings, words):
        few = settings.changed(depth_words=('near', 'far'))
        with pytest.raises(ConfigError, match='holds 7 words, and there are 2 bins'):
            build_predictor(few)

    def test_a_file_that_was_changed_or_is_not_there_is_refused(self, settings, words):
        path = Path(settings.learned_words)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(WeightsError, match='is damaged'):
            build_predictor(settings)
        path.write_bytes(b'nothing of the kind')
        with pytest.raises(WeightsError, match='holds no words that clip-depth fit has written'):
            build_predictor(settings)
        path.unlink()
        with pytest.raises(WeightsError, match=r'learned_words: .* cannot be read: No such file'):
            build_predictor(settings)
