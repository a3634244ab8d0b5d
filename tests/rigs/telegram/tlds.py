"""Last labels of a host that the server links without a protocol.

All countries, and of the generic ones those that people use or that words, file names and code collide with.
"""

_COUNTRIES = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bv bw by bz ca cc cd cf "
    "cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gb gd ge gf gg "
    "gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp "
    "kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne "
    "nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk "
    "sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn "
    "vu wf ws ye yt za zm zw "
)
_GENERIC = (
    "abc academy actor ads aero agency alsace amazon android app apple archi art asia audio author auto autos aws azure baby "
    "band bank bar bbc beer best bet bible bid bike bing bio biz black blog blue boats bom bond boo book booking bot boutique "
    "box broker build builders business buy buzz bzh cab cafe cal call cam camera camp capital car cards care career cars "
    "casa case cash cat center channel charity chase chat cheap chrome church circle city claims click clinic clothing cloud "
    "club coach codes coffee college com community company compare computer construction contact cooking cool coop corsica "
    "country coupon courses credit cricket crown cruise dad dance data date day deal deals degree delivery delta democrat "
    "dental desi design dev diamonds diet digital direct directory discount discover dish diy docs doctor dog domains dot "
    "download drive earth eat eco edu education email energy engineer equipment estate eus events exchange expert exposed "
    "express fail faith family fan fans farm farmers fashion fast feedback film final finance financial fire fish fit fitness "
    "flights flowers fly foo food football forum foundation fox free frontier fun fund furniture fyi gal gallery game games "
    "gap garden gay gent gift gifts glass global gmail gold golf goo google got gov graphics gratis green gripe grocery group "
    "guide guitars guru hair haus health help here hockey holdings holiday homes horse hospital host hosting hot hotels house "
    "how ice icu imdb immo inc industries info ing ink institute insurance int international investments irish ist java "
    "jewelry jobs jot joy juegos kids kim kitchen kiwi land lat law lawyer lease legal lego lgbt life lighting like limited "
    "limo link live living llc loan loans locker lol london love ltd luxe luxury maison makeup man management map market "
    "marketing markets mba med media meet meme memorial men menu mil mini mint mit mobi mobile moda moi mom money monster "
    "moto mov movie museum music name navy net network new news next ngo ninja now nyc observer office omega one ong onl "
    "online ooo open oracle orange org organic origins ovh page paris partners parts party pay pet pharmacy phd phone photo "
    "photography photos physio pics pictures pid pin ping pink pizza place play plumbing plus poker porn post press prime pro "
    "prod productions prof promo properties property protection pub qpon quebec quest racing radio read recipes red rehab ren "
    "rent rentals repair report rest restaurant review reviews rich rio rip rocks room rsvp rugby run safe safety sale salon "
    "sap sarl sas save school science search seat secure security seek select services seven sew sex sexy sfr shoes shop "
    "shopping show silk singles site ski skin sky smart smile sncf soccer social software solar solutions song soy spa space "
    "sport spot srl star storage store stream studio study style sucks supplies supply support surf surgery swiss systems tab "
    "talk target tattoo tax taxi team tech technology tel tennis theater tickets tips tires today tokyo tools top total tours "
    "town toys trade trading training travel trust tube tunes university uno vacations vegas ventures vet video villas vin "
    "vip visa vision vote voyage wang watch weather webcam website wed wedding wiki win windows wine work works world wow wtf "
    "xbox xin xxx xyz yoga you youtube zero zip zone рф рус онлайн сайт 中国 网站 公司 みんな 한국 "
)
TLDS = frozenset((_COUNTRIES + _GENERIC).split())
