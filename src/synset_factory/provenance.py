"""What an image says of its own origin, in the words of the IPTC's Photo Metadata Standard.

It travels in the JPEG (XMP), so an image that has left its set still tells that no camera took it.
"""

from xml.sax.saxutils import quoteattr

DIGITAL_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# Terms of that vocabulary.
TRAINED_MODEL = "trainedAlgorithmicMedia"
RENDERER = "algorithmicMedia"

# The id is the one that the XMP specification prescribes for every packet.
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"{properties}/>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def drawn_by_model(system: str, version: str) -> bytes:
    """Return the XMP packet of an image that a trained model drew: which, and its revision."""
    return _packet(TRAINED_MODEL, AISystemUsed=system, AISystemVersionUsed=version)


def rendered() -> bytes:
    """Return the XMP packet of an image that a program drew without having learnt from any."""
    return _packet(RENDERER)


def _packet(source_type: str, **properties: str) -> bytes:
    """Put a packet together: the same words give the same bytes."""
    named = {"DigitalSourceType": DIGITAL_SOURCE_TYPES + source_type} | properties
    lines = [f"\n Iptc4xmpExt:{name}={quoteattr(value)}" for name, value in named.items()]
    return PACKET.format(properties="".join(lines)).encode()


def has_source_type(xmp: bytes, source_type: str) -> bool:
    """Tell whether an XMP packet names this digital source type."""
    return quoteattr(DIGITAL_SOURCE_TYPES + source_type).encode() in xmp
