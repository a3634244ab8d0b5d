"""Texts about nothing in particular: the background of an index that is too small to be its own."""

from __future__ import annotations

_SENTENCES = {
    "en": """The train to the coast leaves every morning at seven.
She painted the fence green before the winter came.
Two thirds of the votes were counted by midnight.
The recipe asks for a spoon of honey and three eggs.
His grandfather kept bees behind the mill.
The violin was made in Cremona in the eighteenth century.
Heavy rain closed the mountain road for a week.
The goalkeeper saved a penalty in the last minute.
Whales sleep with one half of the brain at a time.
The invoice has to be paid within thirty days.
A new bridge connects the two parts of the harbour.
The patient was told to rest and to drink enough water.
The comet will be seen again in seventy-six years.
Her second novel was translated into twelve languages.
The parser reads one line after the other.
Wool shrinks when it is washed too hot.
The museum is closed on Mondays and on public holidays.
The king signed the treaty without reading it.
The lizard loses its tail to escape.
The price of copper fell for the third month.
The choir rehearses in the old school.
Put the dough in a warm place until it has doubled.
The pilot asked for permission to land.
The glacier has lost a metre of ice every year.""",
    "fr": """Le marché se tient chaque jeudi sur la place du village.
Les hirondelles reviennent au début du mois d'avril.
Le ministre a présenté sa démission hier soir.
Il faut laisser refroidir le gâteau avant de le démouler.
La peinture à l'huile met plusieurs semaines à sécher.
Le tournage du film a commencé en Bretagne.
Les deux équipes se sont quittées sur un match nul.
La sonde a transmis des images de la planète.
Le notaire a lu le testament devant la famille.
Les vendanges ont été avancées de dix jours.
Mon cousin répare des vélos dans son garage.
Le pont a été détruit pendant la guerre.
La bibliothèque prête aussi des partitions.
Une panne de courant a touché tout le quartier.
Le médecin lui a prescrit un sirop contre la toux.
Le loup a été aperçu près de la bergerie.
Les actions de la société ont perdu la moitié de leur valeur.
Le clavier de cet orgue a cinquante-six touches.
La marée sera haute à dix-huit heures.
Les élèves ont planté un arbre dans la cour.
Le contrat prévoit une période d'essai de deux mois.
Ce fromage est affiné dans des caves humides.
Le facteur est passé plus tôt que d'habitude.
La température ne dépassera pas cinq degrés.""",
}
_STEPS = (0, 5, 11, 18)


def _texts(sentences: list[str]) -> tuple[str, ...]:
    """As many texts as sentences, each of four that have nothing to do with each other: about as long as a passage."""
    return tuple(" ".join(sentences[(n + step) % len(sentences)] for step in _STEPS) for n in range(len(sentences)))


NEUTRAL = {language: _texts(sentences.splitlines()) for language, sentences in _SENTENCES.items()}
"""By language."""
