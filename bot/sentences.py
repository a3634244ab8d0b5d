"""Every sentence Grillon says in a chat, in English and in French."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "fr"]

_SENTENCES: dict[str, tuple[str, str]] = {
    "nothing_found": (
        "I found nothing about that in the documents you may read.",
        "Je n'ai rien trouvé à ce sujet dans les documents que vous pouvez lire.",
    ),
    "nearest": ("The nearest: {titles}.", "Le plus proche : {titles}."),
    "no_documents": (
        "There are no documents yet that you may read. The owner declares folders as [[collections]] in grillon.toml.",
        (
            "Il n'y a pas encore de documents que vous puissiez lire. Le propriétaire déclare des dossiers sous [[collections]] "
            "dans grillon.toml."
        ),
    ),
    "no_answer": (
        "The model gave no answer. These passages may help: {titles}.",
        "Le modèle n'a pas donné de réponse. Ces passages peuvent aider : {titles}.",
    ),
    "cut": (
        "The answer was cut at its length limit: /continue goes on.",
        "La réponse a été coupée à sa limite : /continue la poursuit.",
    ),
    "model_unreachable": (
        "The model server at {address} does not answer. Start it with “systemctl start ollama”, then ask again.",
        "Le serveur du modèle à {address} ne répond pas. Démarrez-le avec « systemctl start ollama », puis reposez la question.",
    ),
    "model_missing": (
        "The model {model} is not installed. Install it with “ollama pull {model}”, then ask again.",
        "Le modèle {model} n'est pas installé. Installez-le avec « ollama pull {model} », puis reposez la question.",
    ),
    "model_unreachable_openai": (
        "The model server at {address} does not answer. Start it, then ask again.",
        "Le serveur du modèle à {address} ne répond pas. Démarrez-le, puis reposez la question.",
    ),
    "model_missing_openai": (
        "The server at {address} has no model {model}. Name one that it has under [model] in grillon.toml.",
        "Le serveur à {address} n'a pas de modèle {model}. Nommez-en un qu'il possède sous [model] dans grillon.toml.",
    ),
    "model_missing_embedded": (
        "The embedded model {model} is not here: {detail}.",
        "Le modèle embarqué {model} n'est pas là : {detail}.",
    ),
    "model_unfit": (
        "The model {model} cannot be used: {detail}. Choose another one in grillon.toml; “ollama list” shows what is installed.",
        (
            "Le modèle {model} ne peut pas servir : {detail}. Choisissez-en un autre dans grillon.toml ; « ollama list » montre "
            "ceux qui sont installés."
        ),
    ),
    "model_loading": (
        "The model {model} is still loading. Ask again in a minute; “ollama ps” shows when it is there.",
        (
            "Le modèle {model} est encore en train de se charger. Reposez la question dans une minute ; « ollama ps » montre "
            "quand il est là."
        ),
    ),
    "model_slow": (
        "The model {model} took too long and was stopped. Ask again; “grillon doctor” shows whether it sits on the GPU.",
        (
            "Le modèle {model} a mis trop de temps et a été arrêté. Reposez la question ; « grillon doctor » montre s'il est sur "
            "la carte graphique."
        ),
    ),
    "model_busy": (
        "The model server has too much to do. Ask again in a minute.",
        "Le serveur du modèle a trop à faire. Reposez la question dans une minute.",
    ),
    "model_broken": (
        "The model stopped in the middle of its work. Ask again; if it happens often, look at “journalctl -u ollama”.",
        (
            "Le modèle s'est arrêté au milieu de son travail. Reposez la question ; si cela arrive souvent, regardez "
            "« journalctl -u ollama »."
        ),
    ),
    "prompt_too_long": (
        "The question is too long for the model's window. Ask a shorter one, or raise context_window in grillon.toml.",
        (
            "La question est trop longue pour la fenêtre du modèle. Posez-en une plus courte, ou augmentez context_window dans "
            "grillon.toml."
        ),
    ),
    "index_unavailable": (
        "The index is not ready yet. Ask again in a minute; “grillon status” shows how far it is.",
        "L'index n'est pas encore prêt. Reposez la question dans une minute ; « grillon status » montre où il en est.",
    ),
    "unknown_collection": (
        "There is no collection of that name that you may read.",
        "Il n'y a pas de collection de ce nom que vous puissiez lire.",
    ),
    "gave_up": (
        "Answering this failed several times, so it was set aside. Ask it again, perhaps in other words.",
        "Répondre à cette question a échoué plusieurs fois ; elle a été mise de côté. Reposez-la, peut-être autrement.",
    ),
    "expired": (
        "This question waited too long to be answered. Ask it again if it still matters.",
        "Cette question a attendu trop longtemps. Reposez-la si elle compte encore.",
    ),
    "cancelled": ("Stopped.", "Arrêté."),
    "reset": (
        "We start anew. What was said before stays out of the next answers.",
        "On repart de zéro. Ce qui précède ne comptera plus.",
    ),
    "forgotten": ("Everything stored about you has been erased.", "Tout ce qui était enregistré à votre sujet a été effacé."),
    "nothing_to_continue": ("There is no answer to continue.", "Il n'y a pas de réponse à poursuivre."),
    "no_sources": ("The last answer has no sources.", "La dernière réponse n'a pas de sources."),
    "sources": ("Sources of the last answer:", "Sources de la dernière réponse :"),
    "unknown_command": (
        "I do not know {command}. /help lists what I know.",
        "Je ne connais pas {command}. /help donne la liste.",
    ),
    "search_what": ("Say what to search for: /search WORDS.", "Dites quoi chercher : /search MOTS."),
    "greeting": (
        "Hello! Ask me anything that is in the household's documents. /help lists what else I can do.",
        "Bonjour ! Posez-moi une question sur les documents de la maison. /help dit ce que je sais faire d'autre.",
    ),
    "thanks": ("With pleasure.", "Avec plaisir."),
    "may_not_have_arrived": (
        "My last message may not have arrived. /retry asks again.",
        "Mon dernier message n'est peut-être pas arrivé. /retry repose la question.",
    ),
    "button_stop": ("🛑 Stop", "🛑 Arrêter"),
    "button_retry": ("🔄 Again", "🔄 Recommencer"),
    "button_not_yours": (
        "This button is not for you, or not valid any more.",
        "Ce bouton n'est pas pour vous, ou n'est plus valable.",
    ),
    "button_too_old": ("That answer is not kept any more.", "Cette réponse n'est plus conservée."),
    "private_erased": (
        "You are in private mode: nothing is kept of that answer.",
        "Vous êtes en mode privé : rien n'est conservé de cette réponse.",
    ),
    "source_gone": (
        "This source is not there any more, or you may not read it any more.",
        "Cette source n'existe plus, ou vous ne pouvez plus la lire.",
    ),
    "opinion_kept": ("Thank you, noted.", "Merci, c'est noté."),
    "stopping": ("I am stopping.", "J'arrête."),
    "nothing_to_stop": ("There is nothing to stop.", "Il n'y a rien à arrêter."),
    "rejected_empty": ("The message is empty: write a question.", "Le message est vide : écrivez une question."),
    "rejected_too_long": (
        "That is too long for one question. Send it as a file, or ask in fewer words.",
        "C'est trop long pour une seule question. Envoyez-la en fichier, ou posez-la plus brièvement.",
    ),
    "rejected_binary": (
        "The message holds characters that are not text: send plain text.",
        "Le message contient des caractères qui ne sont pas du texte : envoyez du texte simple.",
    ),
    "rejected_queue_full": (
        "Too many questions are waiting already: try again in a while.",
        "Trop de questions attendent déjà : réessayez dans un moment.",
    ),
    "attachment_many": ("At most five files go with one question.", "Cinq fichiers au plus accompagnent une question."),
    "attachment_voice": (
        "I cannot listen yet: write what {name} says, please.",
        "Je ne sais pas encore écouter : écrivez ce que dit {name}, s'il vous plaît.",
    ),
    "attachment_kind": (
        "I cannot read {name}. I read Markdown, text, HTML, PDF and, where the model can see, pictures.",
        "Je ne sais pas lire {name}. Je lis le Markdown, le texte, le HTML, le PDF et, si le modèle sait voir, les images.",
    ),
    "attachment_size": (
        "{name} is too large: at most {most} MB are read.",
        "{name} est trop gros : {most} Mo au plus sont lus.",
    ),
    "attachment_long": (
        "{name} is too long to be read with a question. The owner can put it into a collection.",
        "{name} est trop long pour être lu avec une question. Le propriétaire peut le mettre dans une collection.",
    ),
    "attachment_unreadable": ("I cannot read {name}: {reason}.", "Je ne peux pas lire {name} : {reason}."),
    "attachment_blind": (
        "The model {model} cannot see pictures.",
        "Le modèle {model} ne sait pas voir les images.",
    ),
    "attachment_question": ("What does this say, in short?", "Que dit ceci, en bref ?"),
    "waiting_queue": ("You are number {place} in the queue.", "Vous êtes en position {place} dans la file."),
    "waiting_starting": ("I am still starting.", "Je suis encore en train de démarrer."),
    "waiting_model": ("The model is getting ready.", "Le modèle se prépare."),
    "help": ("Ask a question, or use a command:", "Posez une question, ou utilisez une commande :"),
}


def say(key: str, language: Language, **values: object) -> str:
    """The sentence `key` in `language`, with its blanks filled. Raises `KeyError` for a sentence that does not exist."""
    english, french = _SENTENCES[key]
    return (french if language == "fr" else english).format(**values)


def keys() -> frozenset[str]:
    """The names of all sentences."""
    return frozenset(_SENTENCES)


def as_language(text: str | None) -> Language | None:
    """The language of a locale such as `fr-CA`, None when it is neither French nor English."""
    start = (text or "")[:2].lower()
    if start == "fr":
        return "fr"
    return "en" if start == "en" else None
