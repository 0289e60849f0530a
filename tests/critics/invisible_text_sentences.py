"""Sentences of many scripts and languages, each of which somebody might write, none of which hides
anything. Written for this project; what is invisible in them stands as an escape.
"""

from __future__ import annotations

import re

_TEXTS: dict[str, str] = {
    "Latin": """
The train to Leeds leaves at nine, and I am late again.
She said “no”, then laughed — and stayed for tea.
Naïve readers met the façade of the café at noon.
We paid £12.50 for two coffees and 3½ cakes.
The temperature fell to −4 °C during the night.
Der Zug nach Köln fährt heute später ab.
Über den Wäldern stand ein großer weißer Mond.
Meine Schwester möchte Ärztin werden.
Auf\u200clage und Schaf\u200cfell setzt man ohne Ligatur.
Die Donau\u00addampf\u00adschiff\u00adfahrt ist ein langes Wort.
Le garçon a mangé une crêpe près de la forêt.
Où est passée la clé de ma sœur aînée ?
L’été dernier, nous étions à Besançon.
El niño pequeño comió una piña mañana y tarde.
¿Cuándo llegará el próximo autobús a Málaga?
Mi abuela cocinó ñoquis con jamón.
A irmã do João comprou pão e maçãs.
Você não é tão alto quanto seu avô.
Amanhã haverá reunião às três da tarde.
La città è più bella di notte, perché c’è meno gente.
Andrò lì lunedì, se non piove.
Avui fa bon temps i el cel és blau.
L’any passat vam col·laborar amb la biblioteca.
Mâine plecăm la țară să culegem mere.
Știu că ai învățat toată noaptea.
Zażółć gęślą jaźń to zdanie z polskimi znakami.
Jutro pójdę do sklepu po świeży chleb.
Dziękuję, że przyszłaś tak wcześnie.
Příliš žluťoučký kůň běžel přes louku.
Dnes večer půjdeme do kina.
Včera pršalo a deti zostali doma.
Môj starší brat býva v Žiline.
Holnap korán kelünk, mert utazunk.
A tűzoltók gyorsan megérkeztek az égő házhoz.
Danas je lepo vreme, pa ćemo šetati.
Čaša vode stoji na stolu.
Jutri bomo šli na Triglav, če ne bo dežja.
Neser sot është ditë e bukur për shëtitje.
Yarın sabah erken kalkıp işe gideceğim.
Çocuklar bahçede güneşin altında oynuyor.
Sabah İstanbul’da yağmur yağdı.
Bu gün hava çox gözəldir, şəhərə gedirik.
Ertaga maktabda yig‘ilish bo‘ladi.
I morgon åker vi till sjön för att bada.
Räksmörgåsen smakade väldigt gott.
Jeg går en tur på stranden hver søndag.
Rødgrød med fløde er en god dessert.
Æbletræet står ved det gamle hus.
Huomenna menemme mökille, jos ei sada.
Äiti leipoi pullaa koko päivän.
Homme läheme metsa seeni korjama.
Õues sajab vihma ja on külm.
Rīt mēs brauksim uz jūru.
Šodien ir ļoti skaists laiks.
Rytoj važiuosime prie ežero žvejoti.
Ąžuolas auga prie mūsų namų.
Það rignir mikið í Reykjavík í dag.
Við fórum að sjá fossinn í gær.
Tha an t-uisge ann an-diugh.
Tá an aimsir go breá inniu, agus táimid ag siúl.
Mae’r tŷ gwyn ar ben y bryn.
Hôm nay trời đẹp, chúng ta đi dạo nhé.
Tôi muốn mua một bát phở và hai ly cà phê sữa đá.
Người Việt Nam thường ăn cơm với gia đình.
Ngày mai anh ấy sẽ đến Đà Nẵng bằng tàu hoả.
Saya mau pergi ke pasar membeli sayur.
Kahapon ay umulan nang malakas sa Maynila.
Ninapenda kusoma vitabu kila jioni.
Ìyá mi ń ta ẹja ní ọjà lójoojúmọ́.
Ọ̀rẹ́ mi máa wá lọ́la.
Kedu ka ị mere? Ọ dị m mma.
Ina kwana? Yaya ɗan uwanka yake?
Ngiyabonga kakhulu, sizobonana kusasa.
Ko te reo Māori te reo o tōku whānau.
ʻO Honolulu ke kapikala o Hawaiʻi.
Morgaŭ ni iros al la kongreso per trajno.
Ĉu vi ŝatas manĝi ĉokoladon?
Salve, magister! Quid hodie discēmus?
Lëtzebuerg ass e klengt Land mat ville Sproochen.
It is hjoed moai waar yn Fryslân.
Die kinders speel buite in die reën.
Jien noqgħod ħdejn il-baħar f’Malta.
Gaur goizean mendira joan gara.
Chan eil fhios agam càit a bheil an leabhar.
Nǐ hǎo, wǒ jiào Lǐ Míng.
Kyō wa Tōkyō e ikimasu.
Munaña ch’usaqaqa, wasinman kutipun.
Pıjamalı hasta yağız şoföre çabucak güvendi.
Sámegiella lea mu eatnigiella.
""",
    "Cyrillic": """
Завтра утром мы поедем к бабушке в деревню.
Ёжик нашёл в лесу большой гриб.
Сколько стоит билет до Казани?
Она написала SMSку и выключила телефон.
Отправь мне PDFку, пожалуйста, до вечера.
Он работает ITшником в Сбере и платит через СберPay.
Мой iPhone разрядился, а зарядка осталась дома.
Подпишись на ВКонтакте и смотри фильмы на КиноПоиске.
Вчера купил чипсы и две банки кока-колы.
Это был самый epicовый матч сезона.
Босс сказал, что hypeовый проект закрыли.
Концентрация β-каротина составила 5 мкг.
Скорость света обозначают буквой c, а длину волны — λ.
За́мок стоит на горе, а замо́к висит на двери.
Температура воздуха −5 °C, ветер северный.
Сьогодні гарна погода, ходімо гуляти до парку.
Ґудзик відірвався від мого пальта.
Їжак з’їв яблуко біля криниці.
Моє мiсто маленьке, але дуже гарне.
Чи є у вас вільні місця на п’ятницю?
Сёння ў Мінску ідзе дождж.
Я люблю чытаць кнігі ўвечары.
Утре ще отидем на планина с приятели.
Къде се намира най-близката аптека?
Данас је лепо време, па ћемо шетати.
Њен брат живи у Љубљани већ пет година.
Ѕвездите светат над Охридското Езеро.
Мојата мајка готви ајвар секоја есен.
Бүгін ауа райы өте жақсы болды.
Қазақстанның астанасы — Астана қаласы.
Бүгүн базарга барып, жемиш сатып алдык.
Имрӯз ҳаво хеле гарм аст.
Маргарита бүген китапханәгә барды.
Һава бик матур, әйдә урманга барыйк.
Өнөөдөр цаг агаар сайхан байна.
Улаанбаатар хотод цас орж байна.
Ирон ӕвзаг у нӕ мадӕлон ӕвзаг.
Ирæттæ уарзынц сæ бæстæ.
Вай гIалгIай мотт бийца.
Дала аьттуо бойла хьан, хIума дац.
""",
    "Greek": """
Αύριο θα πάμε στη θάλασσα με τα παιδιά.
Πόσο κάνει ένα εισιτήριο για τη Θεσσαλονίκη;
Η γιαγιά μου φτιάχνει την καλύτερη σπανακόπιτα.
Χθες έβρεχε όλη μέρα στην Αθήνα.
Το βιβλίο βρίσκεται πάνω στο τραπέζι.
Έστειλα ένα e-mail στον κύριο Παπαδόπουλο.
Ο Γιώργος αγόρασε καινούργιο laptop.
Ποιος έφαγε το τελευταίο κομμάτι τυρόπιτα;
Καλημέρα σας, τι θα πάρετε;
Μιλάτε αγγλικά ή γαλλικά;
Ἐν ἀρχῇ τῆς ἡμέρας ὁ διδάσκαλος χαίρει.
Ὁ ἄνθρωπος βλέπει τὴν θάλασσαν.
Ἡ μήτηρ φιλεῖ τοὺς παῖδας.
Το WiFi του ξενοδοχείου δεν λειτουργεί.
Θέλω δύο καφέδες και ένα νερό.
Η ΔΕΗ έστειλε τον λογαριασμό.
Τα αεροπλάνα πετούν πάνω από τα σύννεφα.
Πότε ανοίγει το μουσείο;
Ας συναντηθούμε στις οκτώ.
Σε ευχαριστώ πολύ για τη βοήθεια!
""",
    "Armenian": """
Այսօր եղանակը շատ լավ է։
Ես ապրում եմ Երևանում։
Որտե՞ղ է մոտակա դեղատունը։
Մայրս համեղ տոլմա է պատրաստում։
Վաղը մենք կգնանք Սևանա լիճ։
Իմ եղբայրը սովորում է համալսարանում։
Շնորհակալություն օգնության համար։
Երեխաները խաղում են բակում։
Այս գիրքը շատ հետաքրքիր է։
Քանի՞ դրամ արժե հացը։
Ես սիրում եմ կարդալ երեկոյան։
Գարնանը ծառերը ծաղկում են։
Նա ինձ SMS ուղարկեց երեկ։
Բարի լույս, ինչպե՞ս եք։
""",
    "Georgian": """
დღეს კარგი ამინდია, წავიდეთ პარკში.
მე თბილისში ვცხოვრობ.
სად არის უახლოესი აფთიაქი?
ბებიაჩემი გემრიელ ხაჭაპურს აცხობს.
ხვალ ზღვაზე წავალთ.
ეს წიგნი ძალიან საინტერესოა.
ბავშვები ეზოში თამაშობენ.
რა ღირს ეს პური?
მადლობა დახმარებისთვის!
ჩემი ძმა ექიმია.
გაზაფხულზე ხეები ყვავის.
დილა მშვიდობისა, როგორ ხართ?
ახალი iPhone იყიდა გიორგიმ.
მატარებელი რვა საათზე გადის.
""",
    "Hebrew": """
מחר נלך לים עם הילדים.
כמה עולה כרטיס לרכבת לחיפה?
סבתא שלי מכינה את העוגה הטובה ביותר.
שָׁלוֹם לְכֻלָּם, מַה שְּׁלוֹמְכֶם?
הַיֶּלֶד אָכַל תַּפּוּחַ אָדֹם.
אֲנִי אוֹהֵב לִקְרֹא סְפָרִים.
קניתי מחשב חדש ב-Apple\u200e, והוא עובד מצוין.
אני מתכנת ב-C++\u200e כבר שנים.
המחיר הוא \u200e$50\u200f בלבד.
הטלפון שלי הוא \u202d+972-50-1234567\u202c.
צה״ל הודיע על כך אתמול בערב.
ד"ר כהן מקבל בימי ג׳ בלבד.
\u202bGoogle הוא מנוע החיפוש שלי.\u202c
המשתמש \u2067John\u2069 הצטרף לקבוצה.
\u2068Anna\u2069 שלחה לך הודעה חדשה.
איפה נמצא בית המרקחת הקרוב?
האוטובוס יוצא בשעה 8:30 מתל אביב.
תודה רבה על העזרה!
הספר מונח על השולחן.
בְּרֵאשִׁית הַשָּׁנָה נָסַעְנוּ לַגָּלִיל.
""",
    "Arabic": """
سنذهب غدًا إلى البحر مع الأطفال.
كم ثمن تذكرة القطار إلى القاهرة؟
جدتي تطبخ ألذ طعام في العائلة.
اللُّغَةُ العَرَبِيَّةُ جَمِيلَةٌ جِدًّا.
ذَهَبَ الوَلَدُ إِلَى المَدْرَسَةِ صَبَاحًا.
اشتريت هاتف iPhone\u200f جديدًا أمس.
أعمل مبرمجًا بلغة C++\u200e منذ سنوات.
\u202bWikipedia هي موسوعة مفتوحة.\u202c
رقم هاتفي هو \u202a+20 100 123 4567\u202c.
درجة الحرارة اليوم ٣٥ مئوية.
أين تقع أقرب صيدلية؟
وصلت الحافلة في الساعة الثامنة.
شكرًا جزيلًا على مساعدتك!
الكتاب على الطاولة.
العــربية لغة جميلة.
نشر القرار في الجريدة الرسمية عام ١٤٤٥ ه\u200d.
أضاف \u2068Ahmed\u2069 صورة جديدة.
يحب أخي كرة القدم كثيرًا.
الجو بارد في الشتاء.
السعر \u200f50 دولارًا فقط.
""",
    "Persian": """
من می\u200cخواهم فردا به کتاب\u200cخانه بروم.
بچه\u200cها در حیاط بازی می\u200cکنند.
این کتاب\u200cها خیلی جالب\u200cاند.
نمی\u200cدانم او کجا رفته\u200cاست.
خانه\u200cی ما نزدیک ایستگاه است.
برنامه\u200cنویسی با Python\u200cها آسان\u200cتر شد.
کاربران Linux\u200cها را دوست دارند.
هوا امروز خیلی سرد است.
قیمت نان چند تومان است؟
مادرم هر روز غذای خوش\u200cمزه می\u200cپزد.
لطفاً در را ببندید.
او دانش\u200cآموز خوبی است.
سه\u200cشنبه به تهران می\u200cرویم.
خیلی ممنون از کمک\u200cتان!
رادیو را خاموش کن و بخواب.
""",
    "Urdu": """
کل ہم بچوں کے ساتھ باغ جائیں گے۔
لاہور کا ٹکٹ کتنے کا ہے؟
میری دادی بہت اچھا کھانا پکاتی ہیں۔
آج موسم بہت خوشگوار ہے۔
مجھے اردو شاعری پسند ہے۔
قریب ترین دواخانہ کہاں ہے؟
بس صبح آٹھ بجے روانہ ہوتی ہے۔
آپ کی مدد کا بہت شکریہ۔
میرا بھائی انجینئر ہے۔
کتاب میز پر رکھی ہے۔
اس نے نیا laptop خریدا۔
سردیوں میں یہاں برف پڑتی ہے۔
""",
    "Pashto, Kurdish, Uyghur and Sindhi": """
زه هره ورځ ښوونځي ته ځم.
نن هوا ډېره ښه ده.
ئەمڕۆ کەش و هەوا خۆشە.
من لە هەولێر دەژیم.
بۈگۈن ھاۋا ناھايىتى ياخشى.
مەن كىتاب ئوقۇشنى ياخشى كۆرىمەن.
اڄ موسم ڏاڍي سٺي آهي.
مان سنڌي ڳالهائيندو آهيان.
""",
    "Devanagari": """
कल हम बच्चों के साथ बाज़ार जाएँगे।
दिल्ली का टिकट कितने का है?
मेरी दादी बहुत अच्छा खाना बनाती हैं।
आज मौसम बहुत सुहावना है।
क्\u200dया आप मेरी मदद कर सकते हैं?
राम ने श्री\u200cमान को पत्र लिखा।
उसका पद्\u200cम नाम का मित्र आया है।
सब लोग शक्\u200dति और भक्\u200dति की बात कर रहे थे।
मुझे नया laptop खरीदना है।
बस सुबह आठ बजे चलती है।
आपकी सहायता के लिए धन्यवाद।
उद्या आम्ही पुण्याला जाणार आहोत.
माझ्या आईने पुरणपोळी केली.
दऱ्\u200dयाखोऱ्\u200dयांत पाऊस पडत होता.
सुतार लाकडी दार दुरुस्त करत आहे.
भोलि हामी काठमाडौँ जान्छौँ।
मेरो दाइ डाक्टर हुनुहुन्छ।
गर्\u200dयो र सक्\u200dयो भन्ने शब्द लेख।
संस्कृतभाषा मधुरा अस्ति।
अहं विद्यालयं गच्छामि।
""",
    "Bengali": """
কাল আমরা বাচ্চাদের নিয়ে মেলায় যাব।
ঢাকার টিকিটের দাম কত?
আমার দাদি খুব ভালো রান্না করেন।
আজ আবহাওয়া বেশ সুন্দর।
র\u200d্যাব ঘটনাস্থলে পৌঁছেছে।
সে একটা র\u200d্যাকেট কিনেছে।
বাক্\u200cস্বাধীনতা সবার অধিকার।
উদ্\u200cঘাটন অনুষ্ঠান সন্ধ্যায় হবে।
বইটা টেবিলের উপর আছে।
বাস সকাল আটটায় ছাড়ে।
সাহায্যের জন্য ধন্যবাদ।
আমি নতুন laptop কিনব।
আজি বতৰ বৰ ভাল।
মই গুৱাহাটীত থাকোঁ।
শীতকালে এখানে কুয়াশা পড়ে।
""",
    "Gurmukhi": """
ਅੱਜ ਮੌਸਮ ਬਹੁਤ ਸੋਹਣਾ ਹੈ।
ਕੱਲ੍ਹ ਅਸੀਂ ਅੰਮ੍ਰਿਤਸਰ ਜਾਵਾਂਗੇ।
ਮੇਰੀ ਦਾਦੀ ਜੀ ਰੋਟੀ ਬਣਾਉਂਦੇ ਹਨ।
ਇਹ ਕਿਤਾਬ ਕਿੰਨੇ ਦੀ ਹੈ?
ਬੱਸ ਸਵੇਰੇ ਅੱਠ ਵਜੇ ਚੱਲਦੀ ਹੈ।
ਤੁਹਾਡਾ ਬਹੁਤ ਧੰਨਵਾਦ।
ਮੇਰਾ ਭਰਾ ਡਾਕਟਰ ਹੈ।
ਬੱਚੇ ਬਾਹਰ ਖੇਡ ਰਹੇ ਹਨ।
""",
    "Gujarati": """
આજે હવામાન ખૂબ સરસ છે.
કાલે આપણે અમદાવાદ જઈશું.
મારી દાદી સરસ ઢોકળાં બનાવે છે.
આ પુસ્તકની કિંમત શું છે?
બસ સવારે આઠ વાગ્યે ઊપડે છે.
તમારી મદદ માટે આભાર.
મારો ભાઈ શિક્ષક છે.
બાળકો બગીચામાં રમે છે.
""",
    "Odia": """
ଆଜି ପାଗ ବହୁତ ଭଲ ଅଛି।
କାଲି ଆମେ ପୁରୀ ଯିବୁ।
ଏହି ବହିର ଦାମ କେତେ?
ମୋ ମା ଭଲ ରୋଷେଇ କରନ୍ତି।
ପିଲାମାନେ ବାହାରେ ଖେଳୁଛନ୍ତି।
ଆପଣଙ୍କୁ ବହୁତ ଧନ୍ୟବାଦ।
""",
    "Tamil": """
நாளை நாங்கள் குழந்தைகளுடன் கடற்கரைக்குச் செல்வோம்.
சென்னைக்கு டிக்கெட் விலை என்ன?
என் பாட்டி நன்றாகச் சமைப்பார்.
இன்று வானிலை மிகவும் நன்றாக உள்ளது.
பேருந்து காலை எட்டு மணிக்குப் புறப்படும்.
உங்கள் உதவிக்கு மிக்க நன்றி.
புத்தகம் மேசை மேல் இருக்கிறது.
என் தம்பி மருத்துவர்.
அவள் புதிய laptop வாங்கினாள்.
க்\u200cஷ என்று பிரித்து எழுதலாம்.
ஸ்ரீநிவாசன் நேற்று வந்தார்.
மழை பெய்து கொண்டிருக்கிறது.
""",
    "Telugu": """
రేపు మనం పిల్లలతో పార్కుకు వెళ్దాం.
హైదరాబాద్\u200cకు టికెట్ ధర ఎంత?
మా అమ్మమ్మ చాలా బాగా వంట చేస్తుంది.
ఈ రోజు వాతావరణం బాగుంది.
నేను ఫేస్\u200cబుక్\u200cలో ఫోటో పెట్టాను.
బస్సు ఉదయం ఎనిమిది గంటలకు బయలుదేరుతుంది.
మీ సహాయానికి ధన్యవాదాలు.
పుస్తకం బల్ల మీద ఉంది.
సాఫ్ట్\u200cవేర్ ఇంజనీర్\u200cగా పని చేస్తున్నాను.
మా తమ్ముడు డాక్టర్.
అతను కొత్త లాప్\u200cటాప్ కొన్నాడు.
వర్షం పడుతోంది.
""",
    "Kannada": """
ನಾಳೆ ನಾವು ಮಕ್ಕಳೊಂದಿಗೆ ಉದ್ಯಾನಕ್ಕೆ ಹೋಗುತ್ತೇವೆ.
ಬೆಂಗಳೂರಿಗೆ ಟಿಕೆಟ್ ಬೆಲೆ ಎಷ್ಟು?
ನನ್ನ ಅಜ್ಜಿ ಚೆನ್ನಾಗಿ ಅಡುಗೆ ಮಾಡುತ್ತಾರೆ.
ಇಂದು ಹವಾಮಾನ ಚೆನ್ನಾಗಿದೆ.
ಸಾಫ್ಟ್\u200cವೇರ್ ಕಂಪನಿಯಲ್ಲಿ ಕೆಲಸ ಮಾಡುತ್ತೇನೆ.
ನಾನು ಫೇಸ್\u200cಬುಕ್\u200cನಲ್ಲಿ ಬರೆದೆ.
ರ\u200d್ಯಾಂಕ್ ಬಂದವನು ನನ್ನ ತಮ್ಮ.
ಬಸ್ಸು ಬೆಳಿಗ್ಗೆ ಎಂಟು ಗಂಟೆಗೆ ಹೊರಡುತ್ತದೆ.
ನಿಮ್ಮ ಸಹಾಯಕ್ಕೆ ಧನ್ಯವಾದಗಳು.
ಪುಸ್ತಕ ಮೇಜಿನ ಮೇಲಿದೆ.
ಮಳೆ ಬರುತ್ತಿದೆ.
""",
    "Malayalam": """
നാളെ ഞങ്ങൾ കുട്ടികളുമായി കടൽത്തീരത്ത് പോകും.
അവന്\u200d എന്റെ അനിയനാണ്.
അവള്\u200d പുതിയ വീട് വാങ്ങി.
മലയാളത്തില്\u200d എഴുതാന്\u200d എനിക്കിഷ്ടമാണ്.
കേരളത്തിലെ കടല്\u200dക്കരകള്\u200d മനോഹരമാണ്.
കൊച്ചിയിലേക്കുള്ള ടിക്കറ്റിന് എന്താണ് വില?
തമിഴ്\u200cനാട്ടിലേക്ക് വണ്ടി രാവിലെ പോകും.
സോഫ്റ്റ്\u200cവെയര്\u200d പരിശോധിക്കണം.
പുസ്തകം മേശപ്പുറത്ത് ഉണ്ട്.
സഹായത്തിന് വളരെ നന്ദി.
മഴ പെയ്യുന്നു.
എന്റെ അമ്മ നന്നായി പാചകം ചെയ്യും.
""",
    "Sinhala": """
හෙට අපි ළමයින් සමඟ උද්\u200dයානයට යමු.
ශ්\u200dරී ලංකාව ලස්සන රටක්.
මගේ ආච්චි හොඳට උයනවා.
අද කාලගුණය හොඳයි.
මම විශ්\u200dවවිද්\u200dයාලයේ ඉගෙන ගන්නවා.
ක්\u200dරිකට් තරගය පටන් ගත්තා.
කොළඹට ටිකට් එකක් කීයද?
පොත මේසය උඩ තියෙනවා.
ඔබේ උදව්වට ස්තූතියි.
ප්\u200dරශ්නයට පිළිතුරු දෙන්න.
වැස්ස වහිනවා.
""",
    "Thai": """
พรุ่งนี้เราจะพาเด็กๆ ไปทะเล
ตั๋วไปเชียงใหม่ราคาเท่าไร
คุณยายของฉันทำอาหารอร่อยมาก
วันนี้\u200bอากาศ\u200bดี\u200bมาก
ผม\u200bทำงาน\u200bที่\u200bบริษัท Google\u200bใน\u200bกรุงเทพฯ
รถเมล์ออกตอนแปดโมงเช้า
ขอบคุณมากสำหรับความช่วยเหลือ
หนังสืออยู่บนโต๊ะ
น้องชายของฉันเป็นหมอ
เธอซื้อ iPhone เครื่องใหม่
ฝนตกทั้งวัน
ฉันชอบอ่านหนังสือตอนเย็น
""",
    "Lao": """
ມື້ອື່ນພວກເຮົາຈະໄປວຽງຈັນ
ມື້ນີ້ອາກາດດີຫຼາຍ
ແມ່ຂອງຂ້ອຍເຮັດອາຫານແຊບ
ປຶ້ມ\u200bຢູ່\u200bເທິງ\u200bໂຕະ
ຂ້ອຍ\u200bມັກ\u200bອ່ານ\u200bປຶ້ມ
ຂອບໃຈຫຼາຍໆ
ອັນນີ້ລາຄາເທົ່າໃດ
ຝົນຕົກແຮງ
""",
    "Khmer": """
ថ្ងៃ\u200bស្អែក\u200bយើង\u200bនឹង\u200bទៅ\u200bភ្នំពេញ។
ថ្ងៃនេះអាកាសធាតុល្អណាស់។
ម្ដាយ\u200bខ្ញុំ\u200bធ្វើ\u200bម្ហូប\u200bឆ្ងាញ់។
សៀវភៅ\u200bនៅ\u200bលើ\u200bតុ។
សូមអរគុណច្រើន។
តម្លៃ\u200bប៉ុន្មាន?
ខ្ញុំ\u200bចូលចិត្ត\u200bអាន\u200bសៀវភៅ។
ភ្លៀង\u200bធ្លាក់\u200bខ្លាំង។
""",
    "Burmese": """
မနက်ဖြန် ကလေးတွေနဲ့ ပန်းခြံကို သွားမယ်။
ဒီနေ့ ရာသီဥတု ကောင်းတယ်။
အမေ\u200bက ဟင်း\u200bကောင်းကောင်း ချက်တယ်။
စာအုပ်\u200bက စားပွဲ\u200bပေါ်မှာ ရှိတယ်။
ကျေးဇူးတင်ပါတယ်။
ရန်ကုန် လက်မှတ် ဘယ်လောက်လဲ။
မိုးရွာနေတယ်။
ကျွန်တော် စာဖတ်ရတာ ကြိုက်တယ်။
""",
    "Tibetan": """
དེ་རིང་གནམ་གཤིས་ཡག་པོ་འདུག
ང་ལྷ་ས་ལ་སྡོད་ཀྱི་ཡོད།
ཁྱེད་རང་གི་མིང་ལ་ག་རེ་ཟེར།
ཐུགས་རྗེ་ཆེ།
དེབ་འདི་ཅོག་ཙེའི་སྒང་ལ་འདུག
ང་ཇ་འཐུང་གི་ཡོད།
""",
    "Chinese": """
明天我们要带孩子们去海边玩。
去上海的火车票多少钱？
我奶奶做的饭非常好吃。
今天天气很好，适合散步。
他买了一台新的iPhone，花了八千元。
书在桌子上，杯子在窗边。
请问最近的药店在哪里？
我弟弟是医生，他在北京工作。
昨天下了一整天的雨。
谢谢你的帮助！
請問這本書多少錢？
我們週末去陽明山看花。
葛\U000e0100城在新的站牌上這樣寫。
佢哋聽日去邊度食飯呀？
你好，世界！——程序员的第一句话。
公式 E=mc² 人人都知道。
""",
    "Japanese": """
明日は子供たちと海に行きます。
東京までの切符はいくらですか。
祖母の料理はとてもおいしいです。
今日はいい天気ですね。
渡辺と渡邉\U000e0101は別の人です。
葛\U000e0100飾区と葛\U000e0101城市は字体が違います。
辻\U000e0100さんの名字は二通りの形で書かれます。
神\ufe00社の看板に古い字が残っています。
本は机の上にあります。
コンピューターを買いました。
ｶﾀｶﾅは半角でも書けます。
彼女は新しいiPhoneを買った。
雨が降っているので、傘を持って行ってください。
ありがとうございます！
バスは八時に出ます。
㍻の次は令和です。
""",
    "Korean": """
내일 아이들과 바다에 갈 거예요.
부산 가는 표가 얼마예요?
할머니가 해 주신 음식이 제일 맛있어요.
오늘 날씨가 참 좋네요.
동생은 의사이고 서울에서 일해요.
책은 책상 위에 있어요.
도와주셔서 감사합니다!
버스는 여덟 시에 출발합니다.
새 iPhone을 샀어요.
옛한글 ᄒᆞᆫ은 쓰였다.
이름을 쓰는 칸: \u3164\u3164\u3164\u3164\u3164\u3164\u3164\u3164\u3164\u3164
비가 와서 우산을 챙겼어요.
""",
    "Mongolian": """
ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ ᠰᠤᠷᠤᠶ\u180eᠠ
ᠪᠢ ᠨᠣᠮ ᠤᠩᠰᠢᠨ\u180eᠠ᠃
ᠲᠡᠷᠡ ᠬᠦᠮᠦᠨ ᠦ\u180b ᠨᠣᠮ᠃
ᠮᠢᠨᠦ ᠡᠵᠢ ᠶ\u180bᠢᠨ ᠨᠡᠷ\u180eᠡ᠃
ᠬᠣᠲᠠ ᠳ\u180bᠤ ᠶᠠᠪᠤᠨ\u180eᠠ᠃
ᠠᠮᠤᠷ ᠰᠠᠶᠢᠨ ᠪᠠᠶᠢᠨ\u180eᠠ ᠤᠤ᠃
""",
    "Ethiopic": """
ነገ ከልጆች ጋር ወደ ገበያ እንሄዳለን።
ዛሬ አየሩ በጣም ጥሩ ነው።
እናቴ ጥሩ ምግብ ትሠራለች።
መጽሐፉ ጠረጴዛ ላይ ነው።
ስለ እርዳታዎ አመሰግናለሁ።
ዋጋው ስንት ነው?
ወንድሜ ሐኪም ነው።
ሎሚ ጽቡቕ መዓልቲ እዩ።
""",
    "N'Ko": """
ߌ ߣߌ߫ ߛߐ߰ߡߊ߫߹
ߒ ߓߍ߫ ߒߞߏ ߞߊ߬ߙߊ߲߬ ߠߊ߫.
ߊ߬ ߕߐ߮ ߦߋ߫ ߡߎ߬ߛߊ߫ ߟߋ߬ ߘߌ߫.
ߌ ߢߌ߬ ߕߎ߬ߟߏ߫ ߞߍ߫؟
""",
    "Syriac and Thaana": """
ܫܠܡܐ ܥܠܟܘܢ ܐܚ̈ܐ ܘܚܬ̈ܐ.
ܐܢܐ ܩܪܐ ܐܢܐ ܟܬܒܐ.
އަހަރެން މާލޭގައި އުޅެން.
މިއަދު މޫސުން ރަނގަޅު.
""",
    "Tifinagh, Cherokee and syllabics": """
ⴰⵣⵓⵍ, ⵎⴰⵏⵣⴰⴽⵉⵏ?
ⵜⴰⵎⴰⵣⵉⵖⵜ ⵜⴳⴰ ⵜⵓⵜⵍⴰⵢⵜ ⵉⵏⵓ.
ᎣᏏᏲ, ᏙᎯᏧ?
ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ᎠᏆᏚᎵ.
ᐃᓄᒃᑎᑐᑦ ᐅᖃᐅᓯᕋ.
ᖁᔭᓐᓇᒦᒃ ᐃᑲᔪᕋᕕᑦ.
""",
    "Javanese and Balinese": """
ꦲꦏ꧀ꦱꦫꦗꦮ ꦲꦶꦏꦸ ꦲꦺꦴꦫꦔꦺꦭ꧀꧉
ꦱꦸꦒꦼꦁꦲꦺꦚ꧀ꦗꦶꦁ꧈ ꦥꦏ꧀꧉
ᬒᬁᬲ᭄ᬯᬲ᭄ᬢ᭄ᬬᬲ᭄ᬢᬸ᭟
ᬢᬶᬂᬬᬂ ᬫᬮᬚᬄ ᬩᬲ ᬩᬮᬶ᭟
""",
    "chat": """
Happy birthday!!! 🎉🎂 See you at 8\ufe0f⃣ tonight ❤\ufe0f
Our family 👨\u200d👩\u200d👧\u200d👦 is off to <flag gbsct> tomorrow.
Come on <flag gbeng>! It's coming home ⚽\ufe0f
Cymru am byth <flag gbwls><flag gbwls>
Don't mess with Texas <flag ustx>
She is a 👩🏽\u200d🚀 and he is a 👨🏿\u200d🍳.
Proud 🏳\ufe0f\u200d🌈 and 🏳\ufe0f\u200d⚧\ufe0f flags everywhere.
I saw it 👁\ufe0f\u200d🗨\ufe0f with my own eyes.
My heart is on fire ❤\ufe0f\u200d🔥 and mending ❤\ufe0f\u200d🩹
Copied twice ❤\ufe0f\ufe0f but still love.
The emoji went missing here \ufe0f and nobody saw.
Text style please: ☎\ufe0e ✈\ufe0e ♥\ufe0e
Press #\ufe0f⃣ then 1\ufe0f⃣ and *\ufe0f⃣.
Ping @everyone\u200b without waking them.
lol 😂😂😂 omg 🤷🏻\u200d♀\ufe0f idk 🤦\u200d♂\ufe0f
Flags: 🇫🇷 🇯🇵 🇧🇷 🇿🇦
Да ладно 😅👍🏼 увидимся в 7\ufe0f⃣
今日🍣たべた？😋♨\ufe0f
أحبك ❤\ufe0f يا أمي 🌹
(╯°□°)╯︵ ┻━┻ and ¯\\_(ツ)_/¯ as ever.
""",
    "code": """
\ufeffimport os  # a file that begins with a byte order mark
const π = Math.PI; // naïve, but it works
print("héllo wörld") # grüße
if (x ≠ y) → return ∅
let señal = "¡hola!"; let größe = 5;
Call document.get\u200bElement\u200bBy\u200bId first, then add the listener.
See https://example.org/\u200bdocs/\u200bapi/\u200breference for more.
Edit /usr/\u200blocal/\u200betc/\u200bsettings_\u200bfile.conf by hand.
The file is \u202aC:\\Users\\Ann\\Café.txt, as Windows copied it.
Call \u202d+1 (555) 010-0199\u202c, as the phone copied it.
Hello \u2068Zoë\u2069, you have \u20683\u2069 new messages.
Fingerprint: \u200ea9 0f 3c 51 — checked.
# Комментарий: здесь ничего нет
x = "日本語"  # 文字列
""",
    "science": """
Let Δt be the time step and ∇f the gradient.
The β-carotene content was 5 μg per gram.
A resistor of 47 kΩ and a capacitor of 10 µF.
We found ΔG = −3.2 kJ·mol⁻¹ and ΔH° = 12.
The frequency νmax scales with gravity, and Δν with density.
The α-helix and the β-sheet are common folds.
TNFα and IFNγ were raised; NFκB was active.
PPARγ agonists and TGFβ signalling are studied.
For all ε > 0 there is δ > 0 with |x − a| < δ.
Here sin\u2061x and cos\u2061(2\u2062x) are meant.
So f\u2061(x) = a\u2062x\u2062y + b\u2063c for short.
Then ∫ x\u2062dx = x²/2 and ln\u2061e = 1.
The ΛCDM model has Ωm ≈ 0.3.
A wavelength of λ = 589 nm; σ ≈ 0.1 Å.
The χ² test gave p = 0.03 (μ = 4.1, σ = 0.7).
The 2^−ΔΔCt method was used for qPCR.
ΔTmax was 4 K and the ΔpH was small.
Quarks couple via γμ, and ψ̄γμψ is a current.
Slashed zero: 0\ufe00 and a union ∪\ufe00 with serifs.
The HαHβ coupling and ααββ tetramer.
𝄞 The beam \U0001d173𝅘𝅥𝅮𝅘𝅥𝅮\U0001d174 holds two notes.
""",
    "pasted": """
First line\u200b
\ufeffSecond line of two files that were joined
A bullet\u200b: and\u200b then words with breaks between them.
Price:\u00a0\u200b12\u202f€ per night
and/\u2060or, 10\u2060–\u206012, “\u2060quoted\u2060”
Read more\u200c \u200c \u200c about our offer
\u200eJanuary 5, 2026
ex\u00adtra\u00ador\u00addi\u00adnary is hyphenated softly.
An accent apart: a\u0308\u034f\u0301 and e\u034f\u0308 are kept.
""",
}


def _flag(match: re.Match[str]) -> str:
    """The emoji of a region's flag: its code in tag characters after a black flag."""
    return "\U0001f3f4" + "".join(chr(0xE0000 + ord(sign)) for sign in match[1]) + "\U000e007f"


SENTENCES: dict[str, tuple[str, ...]] = {
    script: tuple(
        re.sub("<flag ([a-z]+)>", _flag, line) for line in text.strip("\n").split("\n") if line
    )
    for script, text in _TEXTS.items()
}
